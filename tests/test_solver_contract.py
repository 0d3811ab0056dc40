"""The solver contract: every solver keeps it, and each rule can fail."""

from dataclasses import dataclass, field, replace

import pytest
import torch
from tables import SOLVERS
from torch import Tensor

from unroll.contracts import Kind
from unroll.solvers import FISTA, Anderson, Flow, Implicit, Solution, Solver, Unrolled, check_solver, solvers
from unroll.solvers.loop import plain
from unroll.solvers.loop import run as loop
from unroll.solvers.rules import rules
from unroll.verdicts import ContractError

SETTINGS = [
    *SOLVERS.values(),
    Unrolled(0),
    Flow(50, "rk4", tol=1e-9),
    Flow(5, "euler", step_size=0.5, tol=None, gradient="direct"),
    Flow(2, gradient="adjoint"),
    Implicit(FISTA(300, tol=1e-9)),
]


@pytest.mark.parametrize("name", solvers.names())
def test_every_registered_solver(name):
    report = check_solver(name)
    assert repr(report).splitlines()[0] == f"{name}: all rules hold"


@pytest.mark.parametrize("solver", SETTINGS, ids=repr)
def test_settings_of_every_solver(solver):
    check_solver(replace(solver, steps=min(solver.steps, 60)) if hasattr(solver, "steps") else solver)


@dataclass(frozen=True)
class Broken(Unrolled):
    """Plain steps with one fault. Subclasses are not registered, so ``settings survive`` fails for all of them."""

    def run(self, problem, trace):
        return self.spoil(loop(problem, plain, self.steps, trace=trace))

    def spoil(self, solution):
        return solution


def _spoils(name, spoil):
    return type(name, (Broken,), {"spoil": lambda self, solution: spoil(solution)})()


def _spoils_trace(name, **changes):
    def spoil(solution):
        if solution.trace is None:
            return solution
        spoiled = {column: change(getattr(solution.trace, column)) for column, change in changes.items()}
        return replace(solution, trace=replace(solution.trace, **spoiled))

    return _spoils(name, spoil)


@dataclass(frozen=True)
class _Anything(FISTA):
    """Takes any map, and a tolerance of any size."""

    tol: float | None = 1e-4

    def __call__(self, problem, trace=False):
        return Solution(problem.iterate(self.steps))


@dataclass
class _Remembering:
    last: Tensor | None = None


@dataclass(frozen=True)
class _Remembers(Broken):
    """Sets out from where the last solve ended."""

    memory: _Remembering = field(default_factory=_Remembering)

    def spoil(self, solution):
        offset = 0 if self.memory.last is None else self.memory.last.mean()
        self.memory.last = solution.value.detach()
        return replace(solution, value=solution.value + offset)


def _hides_nan(solution):
    return replace(solution, value=solution.value.nan_to_num(0.0))


def _boasts(solution):
    return replace(solution, converged=torch.ones(len(solution.value), dtype=torch.bool))


BROKEN = {
    "settings survive": lambda: _spoils("Unregistered", lambda solution: solution),
    "frozen": _Remembers,
    "kinds": _Anything,
    "a tolerance below round-off": _Anything,
    "value": lambda: _spoils("Single", lambda solution: replace(solution, value=solution.value.float())),
    "the known answer": lambda: _spoils("Off", lambda solution: replace(solution, value=1.01 * solution.value)),
    "converged is true": lambda: type("Boaster", (Broken,), {"spoil": lambda self, solution: _boasts(solution)})(1),
    "determinism": _Remembers,
    "batch independence": lambda: _spoils(
        "Average", lambda solution: replace(solution, value=solution.value + solution.value.mean(0))
    ),
    "NaN stays in its sample": lambda: _spoils("Silent", _hides_nan),
    "gradient": lambda: _spoils(
        "Half", lambda solution: replace(solution, value=(solution.value + solution.value.detach()) / 2)
    ),
    "looking changes nothing": lambda: _spoils(
        "Shy", lambda solution: replace(solution, value=solution.value + (solution.trace is not None))
    ),
    "no trace unasked": lambda: type(
        "Chatty", (Broken,), {"run": lambda self, p, trace: loop(p, plain, 5, trace=True)}
    )(),
    "trace shapes": lambda: _spoils_trace("Mean", residual=lambda residual: residual.mean(1)),
    "trace ends at the value": lambda: _spoils_trace(
        "Early", **{name: lambda column: column.roll(1, 0) for name in ("residual", "energy", "sparsity")}
    ),
    "nfe counts steps": lambda: _spoils_trace("Double", nfe=lambda nfe: 2 * nfe),
}


def test_every_rule_has_a_broken_example():
    assert set(BROKEN) == set(rules.names())


@pytest.mark.parametrize("rule", BROKEN)
def test_rules_can_fail(rule):
    with pytest.raises(ContractError, match=rf"(?s)broken \(.*FAIL  {rule} .*remedy: "):
        check_solver(BROKEN[rule]())


@pytest.mark.parametrize("rule", ["NaN stays in its sample", "gradient", "nfe counts steps"])
def test_only_the_fault_is_found(rule):
    """But for the name, which no broken solver has."""
    assert set(check_solver(BROKEN[rule](), raises=False).failed) == {rule, "settings survive"}


def test_implicit_accepts_what_its_solver_accepts():
    assert Implicit(FISTA(5)).accepts == {Kind.PROXIMAL}
    assert Implicit(Anderson()).accepts == Implicit(Unrolled(5)).accepts == set(Kind) - {Kind.STEP_INDEXED}


@pytest.mark.parametrize(
    ("solver", "message"),
    [
        ("fitsa", r"unknown solver 'fitsa': did you mean 'fista'\?"),
        (5, r"solver must be a Solver such as unroll.solvers.Unrolled\(5\), or its name, got 5"),
        (Solver, r"solver must be a Solver such as"),
    ],
)
def test_bad_subjects(solver, message):
    with pytest.raises(ValueError, match=message):
        check_solver(solver)
