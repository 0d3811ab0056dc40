"""Writes the trace while the loop runs; its own work is charged neither to nfe nor to time."""

import time

import torch
from torch import Tensor

from unroll.contracts import Problem
from unroll.solvers.solution import Trace


class Recorder:
    """Measures iterates of a problem between two stretches of a stopwatch."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.rows: list[tuple[int, float, Tensor, Tensor | None, Tensor]] = []
        self.elapsed = 0.0
        self.resumed = time.perf_counter()

    @torch.no_grad()
    def measure(self, state: Tensor, k: int, nfe: int) -> None:
        """Write down one iterate, reached after ``nfe`` calls of step."""
        _wait_for(state)
        self.elapsed += time.perf_counter() - self.resumed
        code = self.problem.decode(state)
        residual = self.problem.residual(state, self.problem.step(state, k))
        sparsity = (code == 0).flatten(1).float().mean(dim=1)
        self.rows.append((nfe, self.elapsed, residual, self.problem.energy(code), sparsity))
        _wait_for(state)
        self.resumed = time.perf_counter()

    def trace(self) -> Trace:
        """Return all that was measured."""
        nfe, seconds, residual, energy, sparsity = zip(*self.rows, strict=True)
        return Trace(
            nfe=torch.tensor(nfe),
            time=torch.tensor(seconds, dtype=torch.float64),
            residual=torch.stack(residual),
            energy=None if energy[0] is None else torch.stack(energy),
            sparsity=torch.stack(sparsity),
        )


def _wait_for(state: Tensor) -> None:
    """Let a device that works behind our back catch up, so that the clock tells the truth."""
    if state.device.type != "cpu":
        torch.accelerator.synchronize(state.device)
