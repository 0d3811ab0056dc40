"""What the VARS release learns beside its projections: factors on the problem."""

from typing import Annotated

import torch
from torch import Tensor, nn


class LearnedFactors(nn.Module):
    r"""Put learned factors on the Gram matrix, on lambda and on the step size.

    .. math:: \tilde G = K G K, \qquad \tilde\lambda = \lambda \ell, \qquad \tilde L = L / s

    K multiplies from both sides without a transpose, so there is no energy to descend, and L bounds G rather than
    K G K, so steps need not lead to a fixed point: solvers that need either refuse.

    Args:
        atoms: templates M a head; K is shared by the heads.

    Source: bfshi/VARS, ``vars_block.py`` (``learned_k``, ``learned_lam``, ``learned_L``).
    """

    def __init__(self, atoms: int) -> None:
        super().__init__()
        self.gram = nn.Parameter(torch.eye(atoms))
        self.weight = nn.Parameter(torch.ones(1))
        self.step = nn.Parameter(torch.ones(1))

    def forward(
        self, gram: Annotated[Tensor, "B H M M"], weight: float | Tensor, lipschitz: Annotated[Tensor, "B H"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the effective G, lambda and L."""
        return self.gram @ gram @ self.gram, self.weight * weight, lipschitz / self.step
