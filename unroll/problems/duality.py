"""A certificate: how far a code can be from the optimum, without knowing the optimum."""

from typing import Annotated

import torch
from torch import Tensor

from unroll.problems.penalties import L1
from unroll.problems.reconstruction import Reconstruction


def duality_gap(
    problem: Reconstruction, code: Annotated[Tensor, "B ... M D"], squared_values: Annotated[Tensor, "B ... D"]
) -> Annotated[Tensor, "B ... D"]:
    r"""Return the duality gap of each column of a code: an upper bound on how much its energy can still fall.

    With the remainder r = v - F z of a column, shrunk until it is feasible,

    .. math::
        \theta = s r, \quad s = \min\bigl(1, \lambda / |F^\top r|_\infty\bigr), \qquad
        \mathrm{gap} = \tfrac12 |r|^2 + \lambda |z|_1 - \bigl(\tfrac12 |v|^2 - \tfrac12 |v - \theta|^2\bigr) \ge 0

    computed from G, c and the squared norms of the values alone, since F'r = c - G z. Zero exactly at the solution.

    Args:
        problem: sparse reconstruction with the l1 penalty.
        code: any code, not only a solution.
        squared_values: :math:`|v|^2` of each column, which the problem itself does not keep.

    Raises:
        ValueError: when the penalty is not L1, or the gram is not of the form F'F.

    Source: Fercoq, Gramfort and Salmon 2015 (GAP safe rules); Kim et al. 2007, section III.

    Example:
        >>> v = torch.tensor([[[3.0], [0.5]]])
        >>> problem = Reconstruction(torch.eye(2), v, L1(1.0))
        >>> duality_gap(problem, torch.tensor([[[2.0], [0.0]]]), v.square().sum(-2))
        tensor([[0.]])
    """
    if type(problem.penalty) is not L1 or not problem.symmetric:
        raise ValueError(f"problem must be sparse reconstruction with L1 and a gram F'F, got {problem.penalty!r}")
    weight = problem.penalty.weight
    fitted = (code * (problem.gram @ code)).sum(-2)
    aligned = (code * problem.correlation).sum(-2)
    remainder = (squared_values - 2 * aligned + fitted).clamp_min(0)
    slope = (problem.correlation - problem.gram @ code).abs()
    # Feasible is |F' theta| <= lambda for every atom; lambda may differ between heads.
    shrink = (weight / slope.clamp_min(torch.finfo(slope.dtype).tiny)).clamp(max=1).amin(-2)
    price = (weight * code.abs()).sum(-2)
    return remainder * (1 + shrink.square()) / 2 + price - shrink * (squared_values - aligned)
