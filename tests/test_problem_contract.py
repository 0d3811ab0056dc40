"""The problem contract: every problem and every penalty keeps it, and each rule can fail."""

from dataclasses import dataclass, replace

import pytest
import torch
from tables import FREE, PROBLEMS, dictionary, make, values
from torch import Tensor, nn

from unroll.attention import IterativeAttention
from unroll.contracts import Kind, Problem
from unroll.problems import L1, LCA, Hopfield, Reconstruction, check_problem, penalties, row_sum
from unroll.problems.rules import rules
from unroll.verdicts import ContractError


def posed(penalty=None, problem=Reconstruction, **settings):
    f = dictionary()
    gram = f.mT @ f
    settings = {"lipschitz": row_sum(gram)} | settings
    return problem(gram, f.mT @ values(f), L1(0.3) if penalty is None else penalty, **settings)


@pytest.mark.parametrize("penalty", penalties.names())
@pytest.mark.parametrize("coordinates", [lambda problem: problem, LCA])
def test_every_penalty(penalty, coordinates):
    problem = posed(penalties[penalty](0.3))
    check_problem(coordinates(problem))
    check_problem(coordinates(replace(problem, origin="correlation", lipschitz=None)))


@pytest.mark.parametrize("name", PROBLEMS)
def test_problems_with_known_solutions(name):
    report = check_problem(PROBLEMS[name]().problem)
    measured = {verdict.rule for verdict in report.verdicts if verdict.passed}
    assert measured >= {"a fixed point is optimal", "the energy falls", "the step never expands", "prox is optimal"}


@pytest.mark.parametrize("variant", [name for name in FREE if isinstance(make(name), IterativeAttention)])
def test_the_problem_of_masked_tokens(variant):
    """As layers pose it: in heads, with learned weights; one sample is all padding. check_attention does without."""
    mask = torch.rand(3, 9) < 0.7
    mask[1] = False
    check_problem(make(variant).double().bind(torch.randn(3, 9, 12, dtype=torch.float64), mask)[0])


class Broken(Reconstruction):
    """The base of faulty problems: not a dataclass of its own, so it has the fields of its parent."""


class _Warm(Broken):
    def step(self, state, k):
        return super().step(state, k) if k else state


class _WholeBatch(Broken):
    def residual(self, state, following):
        return super().residual(state, following).mean(0)


class _AverageEnergy(Broken):
    def energy(self, code):
        return super().energy(code).mean()


class _Meddling(Broken):
    def step(self, state, k):
        return super().step(state, k) + 1e-6 * state.mean(0)


class _Forgiving(Broken):
    def step(self, state, k):
        return super().step(state, k).nan_to_num(0.0)


class _Growing(Broken):
    def step(self, state, k):
        return super().step(state, k)[..., :1]


class _Rooted(Broken):
    def leaves(self):
        return self


class _Hasty(Broken):
    def iterate(self, steps):
        return super().iterate(max(steps - 1, 0)).detach() + 0 * self.correlation


class _Indexed(Broken):
    """Says that it settles, and counts the size of a step as the distance."""

    def residual(self, state, following):
        return (following - state).flatten(1).norm(dim=1)


class _Blind(Broken):
    def residual(self, state, following):
        return 0 * super().residual(state, following)


class _Restless(Broken):
    """Calls a point settled by its first column alone, so that the others may still move."""

    def residual(self, state, following):
        return super().residual(state, following)[:] * (following - state)[..., 0].flatten(1).norm(dim=1).clamp(max=1)

    def step(self, state, k):
        return torch.cat([super().step(state, k)[..., :1], 1 - state[..., 1:]], dim=-1)


class _Biased(Broken):
    def energy(self, code):
        return super().energy(code) + code.flatten(1).sum(1)


class _Halved(L1):
    def prox(self, v, scale):
        return super().prox(v, scale / 2)


class _Content(L1):
    def optimality(self, code, gradient):
        return super().optimality(code, 2 * gradient)


@dataclass(eq=False)
class _Thawed(Problem):
    """Not frozen, and it holds a weight."""

    weight: Tensor

    @property
    def kind(self):
        return Kind.AVERAGED

    def start(self):
        return torch.zeros_like(self.weight)

    def step(self, state, k):
        return (state + self.weight) / 2

    def residual(self, state, following):
        return (following - state).flatten(1).norm(dim=1)


BROKEN = {
    "frozen, without weights": lambda: _Thawed(nn.Parameter(torch.ones(2, 3, dtype=torch.float64))),
    "shapes": lambda: posed(problem=_Growing),
    "a residual a sample": lambda: posed(problem=_WholeBatch),
    "an energy a sample": lambda: posed(problem=_AverageEnergy),
    "samples are independent": lambda: posed(problem=_Meddling),
    "NaN stays in its sample": lambda: posed(problem=_Forgiving),
    "k is ignored": lambda: posed(problem=_Warm),
    "leaves": lambda: posed(problem=_Rooted),
    "iterate is the loop": lambda: posed(problem=_Hasty),
    "prox is the minimiser": lambda: posed(_Halved(0.3)),
    "prox is optimal": lambda: posed(_Content(0.3)),
    "the residual is zero at a fixed point": lambda: posed(problem=_Restless),
    "the residual is zero only there": lambda: posed(problem=_Blind),
    "a fixed point is optimal": lambda: posed(problem=_Biased),
    "the energy falls": lambda: posed(lipschitz=torch.full((3, 2), 0.3, dtype=torch.float64)),
    "the step never expands": lambda: posed(lipschitz=torch.full((3, 2), 0.3, dtype=torch.float64)),
    "the residual is free of the step size": lambda: posed(problem=_Indexed),
}


def test_every_rule_has_a_broken_example():
    assert set(BROKEN) == set(rules.names())


@pytest.mark.parametrize("rule", BROKEN)
def test_rules_can_fail(rule):
    with pytest.raises(ContractError, match=rf"(?s)broken \(.*FAIL  {rule} +(inf|\d).*remedy: "):
        check_problem(BROKEN[rule]())


def test_what_cannot_be_measured_is_said():
    shown = repr(check_problem(Hopfield(torch.randn(2, 5, 4).double(), torch.randn(2, 3, 4).double())))
    assert shown.splitlines()[0] == "Hopfield: all rules hold"
    for rule, reason in {"the energy falls": "its kind is general", "prox is optimal": "it has no penalty"}.items():
        assert f"    -   {rule:40}{reason}" in shown


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        (3, r"problem must be a Problem such as Reconstruction\(...\), got 3"),
        (
            Hopfield(torch.zeros(2, 5, 4), torch.zeros(2, 3, 4)),
            r"the state of problem must be a torch.float64 tensor, got torch.float32",
        ),
    ],
)
def test_bad_subjects(problem, message):
    with pytest.raises(ValueError, match=message):
        check_problem(problem)
