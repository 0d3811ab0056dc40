"""Weights that need no training: they follow from the dictionary alone."""

from typing import Annotated

import torch
from torch import Tensor

from unroll import validate


def analytic_weight(dictionary: Annotated[Tensor, "m n"]) -> Annotated[Tensor, "m n"]:
    r"""Return the weight of ALISTA: the least correlated with the dictionary, atom by atom.

    .. math:: \min_W \|W^\top A\|_F^2 \quad\text{subject to}\quad w_i^\top a_i = 1,
        \qquad w_i = \frac{(A A^\top)^+ a_i}{a_i^\top (A A^\top)^+ a_i}

    The problem falls apart into one for each column, whose solution is the closed form on the right, exact to round-off
    (computed in float64). Minimising the squares stands in for the largest entry, as in the paper. What it gains
    against other atoms it loses against noise: for a Gaussian A with n = 2 m it has twice the power of A.

    Raises:
        ValueError: when the dictionary is no matrix, is not finite or has a column of zeros.

    Source: Liu et al. 2019 (ALISTA); the closed form by a Lagrange multiplier for each column.

    Example:
        >>> A = torch.nn.functional.normalize(torch.randn(20, 40), dim=0)
        >>> torch.allclose((analytic_weight(A) * A).sum(0), torch.ones(40), atol=1e-5)
        True
    """
    atoms = check_dictionary(dictionary).double()
    solved = _inverse_gram(atoms, dictionary.dtype) @ atoms
    return (solved / (atoms * solved).sum(dim=0)).to(dictionary)


def symmetric_weight(dictionary: Annotated[Tensor, "m n"]) -> Annotated[Tensor, "m n"]:
    r"""Return the weight W = S A with S symmetric, which makes :math:`W^\top A` symmetric: that of HyperLISTA.

    .. math:: \min_{S = S^\top} \|A^\top S A\|_F^2 \quad\text{subject to}\quad a_i^\top S a_i = 1

    With :math:`B = A A^\top` and :math:`H = A^\top B^+ A` a stationary point has the form
    :math:`S = B^+ A\,\mathrm{diag}(\nu)\,A^\top B^+`, and the n constraints become the n linear equations
    :math:`(H \circ H)\,\nu = 1`. The objective is convex, so this is its minimum; no iteration is needed.

    Raises:
        ValueError: when the dictionary is no matrix, is not finite or has a column of zeros.

    Source: Chen et al. 2021 (HyperLISTA), which finds S by gradient descent; the closed form by Lagrange multipliers.

    Example:
        >>> dictionary = torch.randn(8, 16)
        >>> product = symmetric_weight(dictionary).mT @ dictionary
        >>> torch.allclose(product, product.mT, atol=1e-5), torch.allclose(product.diagonal(), torch.ones(16))
        (True, True)
    """
    atoms = check_dictionary(dictionary).double()
    solved = _inverse_gram(atoms, dictionary.dtype) @ atoms
    overlap = atoms.T @ solved
    multipliers = torch.linalg.lstsq(overlap.square(), torch.ones_like(atoms[0])[:, None]).solution
    return (solved @ (multipliers * overlap)).to(dictionary)


def mutual_coherence(
    dictionary: Annotated[Tensor, "m n"], weight: Annotated[Tensor, "m n"] | None = None
) -> Annotated[Tensor, ""]:
    r"""Return the largest overlap of two different atoms, or of an atom and another's weight.

    .. math:: \mu = \max_{i \ne j} |w_i^\top a_j|, \qquad W = A \text{ when none is given}

    Example:
        >>> mutual_coherence(torch.tensor([[1.0, 0.0, 0.6], [0.0, 1.0, 0.8]])).item()
        0.800000011920929
    """
    overlap = (check_dictionary(dictionary) if weight is None else weight).T @ dictionary
    return overlap.fill_diagonal_(0).abs().max()


def check_dictionary(dictionary: Tensor) -> Tensor:
    """Return a dictionary that can serve as one, else raise ValueError."""
    validate.shape("dictionary", dictionary, ("m", "n"))
    if not torch.isfinite(dictionary).all():
        raise ValueError("dictionary must be finite, got NaN or infinity in it")
    blank = (dictionary == 0).all(dim=0).nonzero().flatten().tolist()
    if blank:
        raise ValueError(f"dictionary must have no column of zeros, got zeros in columns {blank}")
    return dictionary


def _inverse_gram(atoms: Annotated[Tensor, "m n"], dtype: torch.dtype) -> Annotated[Tensor, "m m"]:
    """Return the pseudo-inverse of A A', blind to directions that are in A by round-off of its own dtype only."""
    longest = max(atoms.shape)
    cut = max((longest * torch.finfo(dtype).eps) ** 2, longest * torch.finfo(atoms.dtype).eps)
    return torch.linalg.pinv(atoms @ atoms.T, hermitian=True, rtol=cut)
