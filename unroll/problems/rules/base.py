"""Where the rules of the problem contract are filed, and what they share."""

from dataclasses import fields, is_dataclass

import torch
from torch import Tensor

from unroll.contracts import Kind, Problem
from unroll.problems.penalty import Penalty
from unroll.verdicts import Rules

rules = Rules()
CONVERGENT = frozenset({Kind.PROXIMAL, Kind.AVERAGED})


def somewhere(problem: Problem, seed: int = 0) -> Tensor:
    """Return a random state: the start, and noise as large as the first step."""
    start = problem.start().detach()
    noise = torch.randn(start.shape, generator=torch.Generator().manual_seed(seed), dtype=start.dtype)
    size = (problem.step(start, 0) - start).detach().square().mean().sqrt()
    return start + torch.where(size > 0, size, 1) * noise.to(start.device)


def spoiled(state: Tensor) -> Tensor:
    """Return the state with NaN in the first sample."""
    return torch.cat([torch.full_like(state[:1], torch.nan), state[1:]])


def penalty_of(problem: Problem) -> Penalty | None:
    """Return the penalty of a problem, or of the problem that it wraps."""
    for value in (getattr(problem, field.name) for field in fields(problem)) if is_dataclass(problem) else ():
        found = penalty_of(value) if isinstance(value, Problem) else value
        if isinstance(found, Penalty):
            return found
    return None


def settled(problem: Problem, steps: int = 1500, tolerance: float = 1e-11) -> Tensor | None:
    """Return where plain steps lead to, or None where they do not settle."""
    with torch.no_grad():
        state = problem.start()
        for k in range(steps):
            following = problem.step(state, k)
            if problem.residual(state, following).max() <= tolerance:
                return following
            state = following
    return None
