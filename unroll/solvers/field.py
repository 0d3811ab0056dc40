"""What a flow integrates: the map's right-hand side, with a count of what the integrator does."""

import torch
from torch import Tensor, nn

from unroll.contracts import Problem
from unroll.solvers.loop import per_sample


class Field(nn.Module):
    """The right-hand side step(z) - z; counts what the integrator asks and does, and holds bad samples still."""

    def __init__(self, problem: Problem, adaptive: bool) -> None:
        super().__init__()
        self.problem = problem
        self.calls = self.accepted = self.rejected = 0
        if adaptive:  # methods with a fixed step have nothing to call back
            self.callback_accept_step, self.callback_reject_step = self._accept, self._reject
        state = problem.start()
        self.last_size: Tensor | None = None  # the step to begin the next unit of time with
        self.frozen = torch.zeros(len(state), dtype=torch.bool, device=state.device)
        self.finite = torch.ones_like(self.frozen)

    def forward(self, t: Tensor, state: Tensor) -> Tensor:
        self.calls += 1
        rate = self.problem.step(state, 0) - state
        finite = torch.isfinite(rate.detach()).flatten(1).all(dim=1)
        self.finite = self.finite & (finite | self.frozen)
        # A bad sample must not reach the step size that all share.
        moving = finite & ~self.frozen
        return torch.where(per_sample(moving, rate), rate, 0)

    def _accept(self, t: Tensor, state: Tensor, size: Tensor) -> None:
        self.accepted += 1
        self.last_size = size

    def _reject(self, t: Tensor, state: Tensor, size: Tensor) -> None:
        self.rejected += 1
