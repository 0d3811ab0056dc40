"""Safe step sizes: upper bounds on the largest eigenvalue of a Gram matrix.

With L at least the largest eigenvalue of G, proximal-gradient steps of size 1 / L never raise the energy. Every
bound here is an upper bound whenever it is stopped, in exact arithmetic. All but the released one are differentiable: a
few unrolled steps do depend on L, so a gradient that holds L constant, as the VARS release does, is not their gradient.
"""

from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor

from unroll import validate

Bound = Callable[[Tensor], Tensor]


def row_sum(gram: Annotated[Tensor, "... M M"]) -> Annotated[Tensor, "..."]:
    r"""Bound the largest eigenvalue by the largest absolute row sum: :math:`L = \max_i \sum_j |G_{ij}|`.

    Source: Gershgorin 1931; Horn and Johnson 2012, theorem 6.1.1.

    Raises:
        ValueError: when the matrix is not square.

    Example:
        >>> row_sum(torch.tensor([[2.0, 1.0], [1.0, 2.0]]))
        tensor(3.)
    """
    return validate.square("gram", gram).abs().sum(-1).amax(-1)


def power_iteration(gram: Annotated[Tensor, "... M M"], iterations: int = 8) -> Annotated[Tensor, "..."]:
    r"""Bound the largest eigenvalue by power iteration on the matrix of absolute values.

    .. math:: \rho(G) \le \rho(|G|) \le \max_i \frac{(|G| x)_i}{x_i} \quad\text{for every } x > 0

    Started at x = 1 this is the row sum; each iteration tightens it, so it is safe to stop at any time. For a Gram
    matrix of positive features :math:`|G| = G` and the limit is the eigenvalue itself; with mixed signs the limit is
    looser, and :func:`largest_eigenvalue` is exact.
    Source: Collatz 1942, Wielandt 1950; Horn and Johnson 2012, corollary 8.1.31.

    Raises:
        ValueError: when the matrix is not square or ``iterations`` is negative.

    Example:
        >>> power_iteration(torch.tensor([[2.0, 1.0], [1.0, 1.0]]), iterations=20)
        tensor(2.6180)
    """
    validate.count("iterations", iterations, low=0)
    magnitude = validate.square("gram", gram).abs()
    x = torch.ones_like(magnitude[..., :1])
    # An atom that nothing uses has a row of zeros, and a slow power underflows: any x > 0 will do, so keep it so.
    floor = torch.finfo(gram.dtype).eps
    for _ in range(iterations):
        image = magnitude @ x
        peak = image.amax(-2, keepdim=True)
        x = (image / torch.where(peak > 0, peak, 1)).clamp_min(floor)
    return (magnitude @ x / x).amax((-2, -1))


def schatten(gram: Annotated[Tensor, "... M M"], squarings: int = 1) -> Annotated[Tensor, "..."]:
    r"""Bound the largest eigenvalue of a symmetric matrix by a Schatten norm, from a few squarings.

    .. math:: L = \| G^{2^s} \|_F^{2^{-s}} = \Bigl(\sum_i \lambda_i^{2^{s+1}}\Bigr)^{2^{-s-1}}
        \le M^{2^{-s-1}} \lambda_{\max}

    Smooth, blind to signs, and close where one eigenvalue leads, as it does for positive features. s = 0 is the
    Frobenius norm.
    Source: Horn and Johnson 2012, section 7.4 (Schatten norms).

    Raises:
        ValueError: when the matrix is not square or ``squarings`` is negative.

    Example:
        >>> schatten(torch.tensor([[2.0, 1.0], [1.0, 2.0]]), squarings=2)
        tensor(3.0001)
    """
    validate.count("squarings", squarings, low=0)
    # Powers of the trace-normalised matrix neither overflow nor, for a Gram matrix, vanish.
    scale = validate.square("gram", gram).diagonal(dim1=-2, dim2=-1).sum(-1)
    scale = torch.where(scale > 0, scale, 1)
    power = gram / scale[..., None, None]
    for _ in range(squarings):
        power = power @ power
    total = power.square().sum((-2, -1)).clamp_min(torch.finfo(gram.dtype).tiny)
    return scale * total ** (0.5 ** (squarings + 1))


def largest_eigenvalue(gram: Annotated[Tensor, "... M M"]) -> Annotated[Tensor, "..."]:
    """Return the largest eigenvalue itself, from a full symmetric decomposition: tight, and slow on a GPU.

    Raises:
        ValueError: when the matrix is not square.

    Example:
        >>> largest_eigenvalue(torch.tensor([[2.0, 1.0], [1.0, 2.0]]))
        tensor(3.)
    """
    wide = validate.square("gram", gram).to(torch.promote_types(gram.dtype, torch.float32))
    # The decomposition refuses a whole batch for one bad matrix: keep that one out, and hand its NaN back.
    finite = torch.isfinite(wide).flatten(-2).all(-1)
    largest = torch.linalg.eigvalsh(torch.where(finite[..., None, None], wide, 0))[..., -1]
    return torch.where(finite, largest, torch.nan).to(gram.dtype)


def released_bound(gram: Annotated[Tensor, "... M M"]) -> Annotated[Tensor, "..."]:
    r"""Return one more than the row sum, held constant in differentiation: the bound of the VARS release.

    Source: bfshi/VARS, ``vars_block.py``.

    Example:
        >>> released_bound(torch.tensor([[2.0, 1.0], [1.0, 2.0]]))
        tensor(4.)
    """
    return 1 + row_sum(gram).detach()


BOUNDS: dict[str, Bound] = {
    "row-sum": row_sum,
    "power-iteration": power_iteration,
    "schatten": schatten,
    "largest-eigenvalue": largest_eigenvalue,
    "released": released_bound,
}
