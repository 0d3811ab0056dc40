"""The one loop that every discrete solver runs, and the only place that counts, stops and records."""

import warnings
from typing import Protocol

import torch
from torch import Tensor

from unroll.contracts import Problem
from unroll.solvers.recorder import Recorder
from unroll.solvers.solution import Solution


class Extrapolation(Protocol):
    """How a solver picks the point of its next step. One is made for each solve, so it may hold memory."""

    def __call__(self, iterate: Tensor, point: Tensor, proposal: Tensor) -> tuple[Tensor, Tensor]:
        """Return the new iterate and the next point, given the last iterate and ``proposal = step(point)``."""


def plain(iterate: Tensor, point: Tensor, proposal: Tensor) -> tuple[Tensor, Tensor]:
    """Step on from where the last step led: fixed-point iteration."""
    return proposal, proposal


def run(
    problem: Problem, extrapolate: Extrapolation, steps: int, *, tol: float | None = None, trace: bool = False
) -> Solution:
    """Apply ``step`` at most ``steps`` times, each time at the point that ``extrapolate`` picks.

    With ``tol``, a sample takes the step at the first point whose residual is at or below it and is then frozen,
    as is a sample that is not finite: its answer is the same whoever else is in the batch. Without ``tol`` no value
    is inspected and nothing waits for the device. The trace measures the iterates, not the points between them.

    A solver's ``run`` calls it; states are [B, ...], as the problem's start.

    Raises:
        ValueError: when ``tol`` is below 100 units of round-off of the state's dtype.

    Example:
        >>> from unroll.problems import L1, Reconstruction
        >>> problem = Reconstruction(torch.eye(2), torch.tensor([[[3.0], [0.5]]]), L1(1.0))
        >>> halfway = lambda iterate, point, proposal: ((iterate + proposal) / 2,) * 2
        >>> run(problem, halfway, steps=2).value.flatten()
        tensor([1.5000, 0.0000])
    """
    iterate = point = problem.start()
    if tol is not None:
        check_tolerance("tol", tol, iterate.dtype)
        running = torch.ones(len(iterate), dtype=torch.bool, device=iterate.device)
        converged = torch.zeros_like(running)
    recorder = Recorder(problem) if trace else None
    nfe = 0
    while nfe < steps and (tol is None or running.any()):
        if recorder:
            recorder.measure(iterate, nfe, nfe)
        proposal = problem.step(point, nfe)
        nfe += 1
        if tol is None:
            iterate, point = extrapolate(iterate, point, proposal)
            continue
        residual = problem.residual(point, proposal).detach()
        settled = running & (residual <= tol)
        candidate, following = extrapolate(iterate, point, proposal)
        candidate = torch.where(per_sample(settled, iterate), proposal, candidate)
        iterate = torch.where(per_sample(running, iterate), candidate, iterate)
        point = torch.where(per_sample(running, iterate), following, point)
        converged = converged | settled
        running = running & (residual > tol)  # False for NaN too
    if recorder:
        recorder.measure(iterate, steps - 1, nfe)
    if tol is not None and not converged.all():
        # The text is the same for every batch, so that Python shows it once for each place.
        message = f"some samples did not reach tol = {tol:g} within {steps} steps: see Solution.converged"
        warnings.warn(message, RuntimeWarning, stacklevel=4)
    return Solution(iterate, converged if tol is not None else None, recorder.trace() if recorder else None)


def per_sample(numbers: Tensor, state: Tensor) -> Tensor:
    """Give a vector of one number a sample, [B], as many dimensions as a state, so that the two broadcast."""
    return numbers.view(-1, *[1] * (state.ndim - 1))


def check_tolerance(name: str, tol: float, dtype: torch.dtype) -> None:
    """Raise ValueError when a tolerance is below what a dtype can tell apart: 100 units of its round-off."""
    floor = 100 * torch.finfo(dtype).eps
    if tol < floor:
        raise ValueError(f"{name} must be at least {floor:.1e}, 100 units of round-off of {dtype}, got {tol:g}")
