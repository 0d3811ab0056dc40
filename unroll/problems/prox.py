"""Proximal operators as plain functions, all with the signature ``operator(v, threshold)``.

A threshold is a number or a tensor that broadcasts with ``v``; it is never negative.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

Threshold = float | Tensor


def soft_threshold(v: Tensor, threshold: Threshold) -> Tensor:
    r"""Shrink towards zero: the proximal operator of the absolute value.

    .. math:: \arg\min_z \tfrac12 |z - v|^2 + t |z|_1 = \mathrm{sign}(v) \max(|v| - t, 0)

    Shapes: any; the result has the shape of ``v`` (broadcast with the threshold).
    Source: Daubechies, Defrise and De Mol 2004; Parikh and Boyd 2014, section 6.5.2.

    Example:
        >>> soft_threshold(torch.tensor([-3.0, 0.5, 2.0]), 1.0)
        tensor([-2.,  0.,  1.])
    """
    if isinstance(threshold, Tensor):
        # The same as v - clip(v, -t, t), which needs no sign and no absolute value.
        clipped = torch.clamp(v, -threshold, threshold)
        return torch.sub(v, clipped, out=None if clipped.requires_grad else clipped)
    return F.softshrink(v, threshold)


def nonnegative_soft_threshold(v: Tensor, threshold: Threshold) -> Tensor:
    r"""Shrink and cut off below zero: the proximal operator of the l1 norm on non-negative codes.

    .. math:: \arg\min_{z \ge 0} \tfrac12 |z - v|^2 + t \sum z = \max(v - t, 0)

    Shapes: any; the result has the shape of ``v`` (broadcast with the threshold).
    Source: Parikh and Boyd 2014, section 6.5.2, with the constraint z >= 0.

    Example:
        >>> nonnegative_soft_threshold(torch.tensor([-3.0, 0.5, 2.0]), 1.0)
        tensor([0., 0., 1.])
    """
    return F.relu(v - threshold)


def gelu_shrinkage(v: Tensor, threshold: Threshold) -> Tensor:
    r"""The shrinkage of the released VARS code: soft thresholding with a GELU in the place of a ReLU.

    .. math:: S_t(v) = \mathrm{sign}(v)\, \mathrm{GELU}(|v| - t)

    It is the proximal operator of nothing: below the threshold its result is not zero and has the wrong sign
    (down to -0.17), and it jumps at v = 0. Kept for parity and for study.

    Shapes: any; the result has the shape of ``v`` (broadcast with the threshold).
    Source: bfshi/VARS, ``vars_block.py`` (the paper, Shi et al. 2022, states soft thresholding).

    Example:
        >>> gelu_shrinkage(torch.tensor([0.5, 3.0]), 1.0)
        tensor([-0.1543,  1.9545])
    """
    return torch.sign(v) * F.gelu(v.abs() - threshold)


def group_soft_threshold(v: Tensor, threshold: Threshold) -> Tensor:
    r"""Shrink whole rows towards zero: the proximal operator of the sum of the rows' Euclidean norms.

    .. math:: \arg\min_z \tfrac12 |z - v|^2 + t \sum_m |z_m|_2, \qquad z_m = v_m \max(1 - t / |v_m|_2, 0)

    Shapes: [..., D]; a row runs over the last dimension, and a threshold tensor broadcasts with the norms, [..., 1].
    Source: Parikh and Boyd 2014, section 6.5.4.

    Example:
        >>> group_soft_threshold(torch.tensor([[3.0, 4.0], [0.3, 0.4]]), 1.0)
        tensor([[2.4000, 3.2000],
                [0.0000, 0.0000]])
    """
    size = v.norm(dim=-1, keepdim=True)
    kept = (size > threshold).to(v)
    return v * (kept - kept * threshold / torch.where(size > threshold, size, 1))


def hard_threshold(v: Tensor, threshold: Threshold) -> Tensor:
    r"""Keep what is worth its price, untouched: a proximal operator of the number of non-zero entries.

    .. math:: \arg\min_z \tfrac12 |z - v|^2 + t |z|_0 = v \cdot [\,|v| > \sqrt{2 t}\,]

    Shapes: any; the result has the shape of ``v`` (broadcast with the threshold).
    Source: Blumensath and Davies 2008.

    Example:
        >>> hard_threshold(torch.tensor([-3.0, 0.5, 2.0]), 1.0)
        tensor([-3.,  0.,  2.])
    """
    # Asked this way round, NaN stays NaN: no comparison holds for it.
    return torch.where(v.square() <= 2 * threshold, 0, v)
