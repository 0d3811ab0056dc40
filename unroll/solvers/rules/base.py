"""Where the rules of the solver contract are filed, and the two small problems that they try a solver on."""

from dataclasses import dataclass, field, replace
from typing import Annotated, Self

import torch
from torch import Tensor

from unroll.contracts import Kind, Problem
from unroll.verdicts import Rules

rules = Rules()


@dataclass(frozen=True, eq=False)
class Trial(Problem):
    r"""Shrinkage with a diagonal matrix, whose answer is known, and which counts how often it is stepped.

    .. math:: \arg\min_z \tfrac12 \langle z, d z \rangle - \langle c, z \rangle + \lambda |z|_1
        = \mathrm{soft}_\lambda(c) / d, \qquad \mathrm{step}(z) = \mathrm{soft}_\lambda(z - (d z - c)), \; 0 < d \le 1

    With lambda = 0 the step is affine. It is a proximal step whatever ``declared`` says; only the map of a
    step-indexed trial changes with k.
    """

    diagonal: Annotated[Tensor, "n"]
    drive: Annotated[Tensor, "B n"]
    weight: float
    declared: Kind = Kind.PROXIMAL
    calls: list[int] = field(default_factory=list, repr=False)

    @property
    def kind(self) -> Kind:
        return self.declared

    def start(self) -> Tensor:
        return torch.zeros_like(self.drive)

    def step(self, state: Tensor, k: int) -> Tensor:
        self.calls.append(k)
        damping = 1 / (k + 1) if self.declared is Kind.STEP_INDEXED else 1
        return self._shrunk(state - damping * (self.diagonal * state - self.drive))

    def residual(self, state: Tensor, following: Tensor) -> Annotated[Tensor, "B"]:
        return (following - state).norm(dim=1) / self.drive.norm(dim=1)

    def energy(self, code: Tensor) -> Annotated[Tensor, "B"] | None:
        if self.declared is not Kind.PROXIMAL:
            return None
        return (code * (self.diagonal * code / 2 - self.drive) + self.weight * code.abs()).sum(1)

    def solution(self) -> Tensor:
        """Return the answer, from its formula."""
        return self._shrunk(self.drive) / self.diagonal

    def with_drive(self, drive: Tensor) -> Self:
        """Return the same problem for another c, with a count of its own."""
        return replace(self, drive=drive, calls=[])

    def _shrunk(self, v: Tensor) -> Tensor:
        return v - v.clamp(-self.weight, self.weight)


def trial(weight: float = 0.3, declared: Kind = Kind.PROXIMAL, dtype: torch.dtype = torch.float64) -> Trial:
    """Return three samples of four numbers, half of which the shrinkage silences."""
    drive = torch.tensor([[2.0, -1.0, 0.1, -0.2], [0.2, 3.0, -2.0, 0.1], [-1.5, 0.0, 0.25, 1.2]], dtype=dtype)
    return Trial(torch.tensor([1.0, 0.8, 0.5, 0.6], dtype=dtype), drive, weight, declared)
