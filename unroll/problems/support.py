"""Soft thresholding that spares the entries that it trusts."""

from typing import Annotated

import torch
from torch import Tensor

from unroll import validate
from unroll.problems.prox import Threshold, soft_threshold


def support_threshold(
    v: Annotated[Tensor, "B n"], threshold: Threshold, trusted: int | Annotated[Tensor, "B"]
) -> Annotated[Tensor, "B n"]:
    r"""Shrink towards zero all but the largest entries, which pass untouched if they exceed the threshold.

    .. math::
        \eta^p_t(v)_i = \begin{cases} v_i & |v_i| > t \text{ and } i \in S^p(v) \\
        \mathrm{sign}(v_i) \max(|v_i| - t, 0) & \text{otherwise} \end{cases}

    where :math:`S^p(v)` holds the p largest magnitudes. What is spared is not biased towards zero. As soft
    thresholding it is not a contraction any more; the choice of the entries carries no gradient.

    Args:
        v: samples by atoms.
        threshold: t, a number or a tensor that broadcasts with v.
        trusted: p, one whole number, or one a sample; at most n of them count.

    Raises:
        ValueError: when v is not a matrix, or p is negative.

    Source: Chen et al. 2018 (LISTA-CPSS), support selection.

    Example:
        >>> support_threshold(torch.tensor([[3.0, -2.0, 0.5]]), 1.0, trusted=1)
        tensor([[ 3., -1.,  0.]])
    """
    validate.shape("v", v, ("B", "n"))
    shrunk = soft_threshold(v, threshold)
    size = v.detach().abs()
    if isinstance(trusted, Tensor):
        validate.shape("trusted", trusted, (len(v),))
        ranks = trusted.clamp(0, v.shape[1]).long()[:, None]
        least = size.sort(dim=1, descending=True).values.gather(1, (ranks - 1).clamp_min(0))
        spared = (size >= least) & (ranks > 0)
    else:
        validate.count("trusted", trusted, low=0)
        if trusted == 0:
            return shrunk
        least = size.topk(min(trusted, v.shape[1]), dim=1, sorted=False).values.amin(dim=1, keepdim=True)
        spared = size >= least
    return torch.where(spared & (size > threshold), v, shrunk)
