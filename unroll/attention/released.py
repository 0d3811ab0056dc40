"""The arithmetic of the released VARS code around a dictionary, for parity and for study."""

from typing import Annotated

import torch
from torch import Tensor, nn

from unroll.problems import GELUShrinkage, Reconstruction, row_sum


class ReleasedDictionary(nn.Module):
    r"""State the problem as bfshi/VARS does: learned factors on the Gram matrix, the penalty and the step.

    .. math::
        \tilde G = K G K, \quad \tilde\lambda = \lambda \ell, \quad \tilde L = (1 + \max_i \sum_j |G_{ij}|) / s,
        \quad A_0 = S_{\tilde\lambda}(c)

    with the GELU shrinkage S. K multiplies from both sides without a transpose, so there is no energy to descend, and
    L is bounded on G rather than on K G K: only plain unrolling accepts it. L is held constant in differentiation, so
    the gradient is not exactly that of the output.

    Args:
        atoms: templates M a head; K is shared by the heads.
        weight: lambda.
    """

    def __init__(self, atoms: int, weight: float) -> None:
        super().__init__()
        self.weight = weight
        self.learned_gram = nn.Parameter(torch.eye(atoms))
        self.learned_lambda = nn.Parameter(torch.ones(1))
        self.learned_step = nn.Parameter(torch.ones(1))

    def forward(
        self,
        gram: Annotated[Tensor, "B H M M"],
        correlation: Annotated[Tensor, "B H M D"],
        start: Annotated[Tensor, "B H M D"] | None = None,
    ) -> Reconstruction:
        return Reconstruction(
            gram=self.learned_gram @ gram @ self.learned_gram,
            correlation=correlation,
            penalty=GELUShrinkage(self.weight * self.learned_lambda),
            initial=start,
            lipschitz=(1 + row_sum(gram).detach()) / self.learned_step,
            origin="correlation",
            symmetric=False,
        )
