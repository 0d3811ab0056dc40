"""Rules about calls: what a problem is made of, and what its methods return."""

from dataclasses import is_dataclass

import torch
from torch import Tensor, nn

from unroll.contracts import Kind, Problem, map_tensors
from unroll.problems.rules.base import rules, somewhere, spoiled
from unroll.verdicts import gap


@rules.rule(
    "frozen, without weights", "make it a frozen dataclass of tensors; weights stay in the module that binds it"
)
def frozen(problem: Problem) -> float:
    is_frozen = is_dataclass(problem) and problem.__dataclass_params__.frozen
    return float(not is_frozen) + sum(isinstance(tensor, nn.Parameter) for tensor in problem.tensors())


@rules.rule("shapes", "samples are dimension 0; step keeps shape and dtype; decode keeps the samples")
def shapes(problem: Problem) -> float:
    start = problem.start()
    following, code = problem.step(start, 0), problem.decode(start)
    wrong = [
        start.ndim < 2 or not torch.isfinite(start).all(),
        following.shape != start.shape or following.dtype != start.dtype,
        code.shape[:1] != start.shape[:1] or not torch.isfinite(code).all(),
    ]
    return float(sum(map(bool, wrong)))


@rules.rule("a residual a sample", "sum and norm over all dimensions but 0: a number >= 0 a sample")
def a_residual_a_sample(problem: Problem) -> float:
    state = somewhere(problem)
    residual = problem.residual(state, problem.step(state, 0))
    return float(residual.shape != state.shape[:1] or not (residual >= 0).all())


@rules.rule("an energy a sample", "sum over all dimensions but 0, or return None where there is no energy")
def an_energy_a_sample(problem: Problem) -> float | str:
    code = problem.decode(somewhere(problem))
    energy = problem.energy(code)
    if energy is None:
        return float(problem.kind is Kind.PROXIMAL) or "it has no energy"
    return float(energy.shape != code.shape[:1] or energy.isnan().any())


@rules.rule("samples are independent", "reduce over tokens, atoms and columns, never over dimension 0", tolerance=1e-12)
def samples_are_independent(problem: Problem) -> float | str:
    """Move the first sample: nothing may change for the others."""
    state = somewhere(problem)
    moved = torch.cat([state[:1] + 1, state[1:]])
    return _change_of_others(problem, state, moved)


@rules.rule("NaN stays in its sample", "keep samples apart; let NaN come out as NaN", tolerance=1e-12)
def nan_stays(problem: Problem) -> float | str:
    """And shows, in the next state and in the residual: a bad sample must not seem to be well, or to have converged."""
    state = somewhere(problem)
    bad = spoiled(state)
    following = problem.step(bad, 0)
    hidden = torch.isfinite(following[0]).all() or torch.isfinite(problem.residual(bad, following)[0])
    return float("inf") if hidden else _change_of_others(problem, state, bad)


@rules.rule("k is ignored", "let step depend on the state alone, or declare kind = Kind.STEP_INDEXED")
def k_is_ignored(problem: Problem) -> float | str:
    if problem.kind is Kind.STEP_INDEXED:
        return "its kind is step-indexed"
    state = somewhere(problem)
    return max(gap(problem.step(state, 0), problem.step(state, k)) for k in (1, 7))


@rules.rule("leaves", "let leaves() rebuild the problem on detached tensors that pair with tensors()", tolerance=1e-12)
def leaves_pair(problem: Problem) -> float:
    """On tensors that have a history, of which the leaves must know nothing."""
    posed = _with_history(problem)
    leaves = posed.leaves()
    for ours, theirs in zip(leaves.tensors(), posed.tensors(), strict=True):
        if not ours.is_leaf or ours.requires_grad != theirs.requires_grad or not torch.equal(ours, theirs):
            return float("inf")
    state = somewhere(problem)
    return gap(leaves.step(state, 0), problem.step(state, 0))


@rules.rule("iterate is the loop", "drop your own iterate, or give it the loop's numbers and gradients", tolerance=1e-9)
def iterate_is_the_loop(problem: Problem) -> float:
    posed = _with_history(problem).leaves()
    asking = [tensor for tensor in posed.tensors() if tensor.requires_grad]
    worst = [gap(posed.iterate(0), posed.start())]
    for steps in (1, 4):
        results = []
        for state in (posed.iterate(steps), Problem.iterate(posed, steps)):
            towards = torch.linspace(-1, 1, state.numel(), dtype=state.dtype, device=state.device).view_as(state)
            gradients = torch.autograd.grad((state * towards).sum(), asking, retain_graph=True, materialize_grads=True)
            results.append([state, *map(_real, gradients)])
        worst += [gap(one, other) for one, other in zip(*results, strict=True)]
    return max(worst)


def _change_of_others(problem: Problem, state: Tensor, changed: Tensor) -> float | str:
    if len(state) < 2:
        return "there is one sample only"
    pairs = zip(_answers(problem, state), _answers(problem, changed), strict=True)
    return max(gap(one[1:], other[1:]) for one, other in pairs)


def _answers(problem: Problem, state: Tensor) -> list[Tensor]:
    """Return all that a problem says of a state; residuals and energies may be infinite, so angles stand for them."""
    following, code = problem.step(state, 0), problem.decode(state)
    energy = problem.energy(code)
    numbers = [problem.residual(state, following), *([] if energy is None else [energy])]
    return [following, code, *map(torch.atan, numbers)]


def _with_history(problem: Problem) -> Problem:
    """Return the problem on copies of its tensors that ask for a gradient and are no leaves."""

    def derived(tensor: Tensor) -> Tensor:
        differentiable = tensor.is_floating_point() or tensor.is_complex()
        return tensor.detach().clone().requires_grad_() * 1 if differentiable else tensor.clone()

    return map_tensors(problem, derived)


def _real(tensor: Tensor) -> Tensor:
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor
