"""Rules about answers: right, with the right gradient, the same every time and in any company."""

from dataclasses import replace

import torch
from torch import Tensor

from unroll.solvers.base import Solver
from unroll.solvers.rules.base import Trial, rules, trial
from unroll.verdicts import gap

_LONG = 300  # steps, or units of time
_NO_STEP = "it takes no step"


@rules.rule("value", "return a state: the shape and dtype of problem.start(), in every precision")
def value(solver: Solver) -> float:
    wrong = 0
    for dtype in (torch.float64, torch.float32):
        problem = trial(dtype=dtype)
        found = solver.stopped(3)(problem).value
        wrong += found.shape != problem.drive.shape or found.dtype != dtype
    return float(wrong)


@rules.rule("the known answer", "let enough steps lead to the fixed point", tolerance=1e-6)
def known_answer(solver: Solver) -> float:
    """After many steps, of an affine map and of one that shrinks."""
    problems = [trial(weight) for weight in (0.0, 0.3)]
    return max(gap(solver.stopped(_LONG)(problem).value, problem.solution()) for problem in problems)


@rules.rule("converged is true", "set converged where the residual is at or below the tolerance, a flag a sample")
def converged_is_true(solver: Solver) -> float | str:
    """Who claims to have converged must be near the answer; it is a flag for each sample or None for all."""
    problem = trial()
    solution = solver(problem)
    if solution.converged is None:
        return "it says nothing of convergence"
    if solution.converged.dtype != torch.bool or solution.converged.shape != problem.drive.shape[:1]:
        return float("inf")
    # The map contracts by a half at worst: the error is at most twice what a step moves.
    off = (solution.value - problem.solution()).norm(dim=1) / problem.drive.norm(dim=1)
    return float((solution.converged & (off > 0.01)).sum())


@rules.rule("determinism", "draw nothing at random, and keep nothing from one solve to the next")
def determinism(solver: Solver) -> float:
    """Solve, solve something else, solve again."""
    first, _, again = (solver(trial(weight)).value for weight in (0.3, 0.0, 0.3))
    return gap(first, again)


@rules.rule("batch independence", "stop, restart and mix each sample by itself; see Solver.independence", tolerance=1.0)
def batch_independence(solver: Solver) -> float:
    """Measured in units of what the solver allows itself."""
    problem = trial()
    alone = [solver(problem.with_drive(drive)).value for drive in problem.drive.split(1)]
    return gap(solver(problem).value, torch.cat(alone)) / solver.independence


@rules.rule(
    "NaN stays in its sample", "freeze a sample that is not finite before it reaches anything shared", tolerance=1.0
)
def nan_stays(solver: Solver) -> float | str:
    """And is flagged: NaN in the value, and ``converged`` not set. In units of what the solver allows itself."""
    problem = trial()
    drive = problem.drive.clone()
    drive[1, 0] = torch.nan
    spoiled = solver(problem.with_drive(drive))
    reference = solver(problem).value
    hidden = torch.isfinite(spoiled.value[1]).all() or (spoiled.converged is not None and spoiled.converged[1])
    if not problem.calls:
        return _NO_STEP
    others = [0, 2]
    return float("inf") if hidden else gap(spoiled.value[others], reference[others]) / solver.independence


@rules.rule("gradient", "back-propagate through the steps, or wrap the solver in Implicit", tolerance=1e-2)
def gradient(solver: Solver) -> float | str:
    """Relative error of the slope along a random direction of c.

    Where all samples converge the answer's formula is the judge; else finite differences of what is run.
    """
    problem = trial()
    drive = problem.drive.clone().requires_grad_()
    generator = torch.Generator().manual_seed(0)
    along, towards = (torch.randn(drive.shape, dtype=drive.dtype, generator=generator) for _ in range(2))
    posed = problem.with_drive(drive)
    solution = solver(posed)
    if not posed.calls:
        return _NO_STEP
    slope = _slope(solution.value, drive, along, towards)
    if solution.converged is not None and solution.converged.all():
        expected = _slope(replace(problem, drive=drive).solution(), drive, along, towards)
    else:
        ends = [_moved(solver, problem, sign * 1e-4 * along) for sign in (-1, 1)]
        expected = ((ends[1] - ends[0]) * towards).sum().item() / 2e-4
    return abs(slope - expected) / abs(expected)


def _slope(value: Tensor, drive: Tensor, along: Tensor, towards: Tensor) -> float:
    (gradient,) = torch.autograd.grad((value * towards).sum(), drive)
    return (gradient * along).sum().item()


def _moved(solver: Solver, problem: Trial, by: Tensor) -> Tensor:
    with torch.no_grad():
        return solver(problem.with_drive(problem.drive + by)).value
