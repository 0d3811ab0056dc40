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
        self.device = problem.decode(problem.start()).device
        self.rows: list[dict[str, object]] = []
        self.elapsed = 0.0
        self.resumed = time.perf_counter()

    @torch.no_grad()
    def measure(self, state: Tensor, k: int, nfe: int, *, flow: tuple[float, int, int] | None = None) -> None:
        """Write down one state, reached after ``nfe`` calls of step; of a flow also its time and its steps."""
        self._wait()
        self.elapsed += time.perf_counter() - self.resumed
        code = self.problem.decode(state)
        self.rows.append(
            {
                "nfe": nfe,
                "time": self.elapsed,
                "residual": self.problem.residual(state, self.problem.step(state, k)),
                "energy": self.problem.energy(code),
                "sparsity": (code == 0).flatten(1).float().mean(dim=1),
                "flow": flow,
            }
        )
        self._wait()
        self.resumed = time.perf_counter()

    def trace(self) -> Trace:
        """Return all that was measured."""
        columns = {name: [row[name] for row in self.rows] for name in self.rows[0]}
        flow = None if columns["flow"][0] is None else torch.tensor(columns["flow"], dtype=torch.float64)
        return Trace(
            nfe=torch.tensor(columns["nfe"]),
            time=torch.tensor(columns["time"], dtype=torch.float64),
            residual=torch.stack(columns["residual"]),
            energy=None if columns["energy"][0] is None else torch.stack(columns["energy"]),
            sparsity=torch.stack(columns["sparsity"]),
            flow_time=None if flow is None else flow[:, 0],
            accepted=None if flow is None else flow[:, 1].long(),
            rejected=None if flow is None else flow[:, 2].long(),
        )

    def _wait(self) -> None:
        """Let a device that works behind our back catch up, so that the clock tells the truth."""
        if self.device.type != "cpu":
            torch.accelerator.synchronize(self.device)
