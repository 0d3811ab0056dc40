"""The locally competitive algorithm: sparse reconstruction in the coordinates of membrane potentials."""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from unroll.contracts import Kind, Problem
from unroll.problems.reconstruction import Reconstruction


@dataclass(frozen=True, eq=False)
class LCA(Problem):
    r"""Neurons with potentials u drive their code z = s(u) and inhibit each other through G - I.

    .. math::
        \dot u = c - u - (G - I)\, s(u), \qquad s = \mathrm{prox}_{\lambda p}, \qquad
        \mathrm{step}(u) = c - (G - I)\, s(u)

    A fixed point u* decodes to a solution of the sparse reconstruction. The flow settles; plain iteration of the step
    diverges where :math:`|G - I| > 1`, so the map is declared general, not averaged. The potentials of silent neurons
    stay below the threshold and are not part of the answer: residuals are those of the decoded code.

    Args:
        reconstruction: the problem in the coordinates of its code.

    Shapes: the state has the shape of the code, [B, ..., M, D].

    Source: Rozell, Johnson, Baraniuk and Olshausen 2008 (LCA); the attractor of Shi et al. 2022 (VARS).

    Example:
        >>> from unroll.problems import L1
        >>> potentials = LCA(Reconstruction(torch.eye(2), torch.tensor([[[3.0], [0.5]]]), L1(1.0)))
        >>> potentials.decode(potentials.step(potentials.start(), 0)).flatten()
        tensor([2., 0.])
    """

    reconstruction: Reconstruction

    @property
    def correlation(self) -> Tensor:
        """c = F'V, the drive of the neurons."""
        return self.reconstruction.correlation

    def with_correlation(self, correlation: Tensor) -> "LCA":
        """Return the same neurons under another drive."""
        return LCA(self.reconstruction.with_correlation(correlation))

    @property
    def separable(self) -> bool:
        """Whether the columns of the code do not meddle with each other."""
        return self.reconstruction.separable

    @property
    def kind(self) -> Kind:
        return Kind.GENERAL

    def start(self) -> Tensor:
        """Return potentials at rest; or the reconstruction's ``initial``, or c, read as potentials."""
        if self.reconstruction.initial is not None:
            return self.reconstruction.initial
        if self.reconstruction.origin == "correlation":
            return self.reconstruction.correlation
        return torch.zeros_like(self.reconstruction.correlation)

    def step(self, state: Tensor, k: int) -> Tensor:
        code = self.decode(state)
        return self.reconstruction.correlation - (self.reconstruction.gram @ code - code)

    def decode(self, state: Tensor) -> Tensor:
        return self.reconstruction.penalty.prox(state, 1.0)

    def energy(self, code: Tensor) -> Annotated[Tensor, "B"] | None:
        return self.reconstruction.energy(code)

    def residual(self, state: Tensor, following: Tensor) -> Annotated[Tensor, "B"]:
        r"""Return :math:`|s(\mathrm{step}(u)) - s(u)| / |c|`: a proximal-gradient step of size 1 on the code."""
        c = self.reconstruction.correlation.flatten(1).norm(dim=1)
        moved = (self.decode(following) - self.decode(state)).flatten(1).norm(dim=1)
        return moved / c.clamp_min(torch.finfo(c.dtype).tiny)
