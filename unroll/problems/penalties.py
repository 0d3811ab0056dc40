"""Penalties: what a code pays for its size, one class each."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from unroll import validate
from unroll.problems.penalty import Penalty, penalties
from unroll.problems.prox import (
    Threshold,
    gelu_shrinkage,
    group_soft_threshold,
    hard_threshold,
    nonnegative_soft_threshold,
    soft_threshold,
)


@penalties.register("l1")
class L1(Penalty):
    r"""Sparsity: :math:`\lambda |z|_1`.

    Source: Tibshirani 1996; Chen, Donoho and Saunders 1998.

    Example:
        >>> L1(1.0).prox(torch.tensor([[-3.0, 0.5, 2.0]]), 1.0)
        tensor([[-2.,  0.,  1.]])
    """

    def prox(self, v: Tensor, scale: Threshold) -> Tensor:
        return soft_threshold(v, self.weight * scale)

    def value(self, code: Tensor) -> Annotated[Tensor, "B"]:
        return _total(self.weight * code.abs())

    def optimality(self, code: Tensor, gradient: Tensor) -> Tensor:
        at_zero = (gradient.abs() - self.weight).clamp_min(0)
        return torch.where(code == 0, at_zero, (gradient + self.weight * code.sign()).abs())


@penalties.register("nonnegative-l1")
class NonNegativeL1(Penalty):
    r"""Sparsity of codes that are never negative: :math:`\lambda \sum z` for z >= 0, infinite elsewhere.

    Example:
        >>> NonNegativeL1(1.0).prox(torch.tensor([[-3.0, 0.5, 2.0]]), 1.0)
        tensor([[0., 0., 1.]])
    """

    def prox(self, v: Tensor, scale: Threshold) -> Tensor:
        return nonnegative_soft_threshold(v, self.weight * scale)

    def value(self, code: Tensor) -> Annotated[Tensor, "B"]:
        return _total((self.weight * code).masked_fill(code < 0, float("inf")))

    def optimality(self, code: Tensor, gradient: Tensor) -> Tensor:
        slope = gradient + self.weight
        distance = torch.where(code == 0, (-slope).clamp_min(0), slope.abs())
        return distance.masked_fill(code < 0, float("inf"))


@penalties.register("elastic-net")
@dataclass(frozen=True, eq=False)
class ElasticNet(Penalty):
    r"""Sparsity and shrinkage: :math:`\lambda (\rho |z|_1 + \tfrac{1 - \rho}{2} |z|^2)`.

    Args:
        weight: lambda >= 0.
        ratio: rho, the share of the l1 part, 0 to 1.

    Source: Zou and Hastie 2005.

    Raises:
        ValueError: when weight is negative or not finite, or ratio is not a share.

    Example:
        >>> ElasticNet(1.0, ratio=0.5).value(torch.tensor([[-3.0, 0.0, 2.0]]))
        tensor([5.7500])
    """

    ratio: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        validate.share("ratio", self.ratio)

    def prox(self, v: Tensor, scale: Threshold) -> Tensor:
        scaled = self.weight * scale
        return soft_threshold(v, self.ratio * scaled) / (1 + (1 - self.ratio) * scaled)

    def value(self, code: Tensor) -> Annotated[Tensor, "B"]:
        return _total(self.weight * (self.ratio * code.abs() + (1 - self.ratio) / 2 * code.square()))

    def optimality(self, code: Tensor, gradient: Tensor) -> Tensor:
        smooth = gradient + self.weight * (1 - self.ratio) * code
        return L1(self.weight * self.ratio).optimality(code, smooth)


@penalties.register("ridge")
class Ridge(Penalty):
    r"""Shrinkage without sparsity: :math:`\tfrac{\lambda}{2} |z|^2`.

    Source: Hoerl and Kennard 1970.

    Example:
        >>> Ridge(1.0).prox(torch.tensor([[-3.0, 0.5, 2.0]]), 1.0)
        tensor([[-1.5000,  0.2500,  1.0000]])
    """

    def prox(self, v: Tensor, scale: Threshold) -> Tensor:
        return v / (1 + self.weight * scale)

    def value(self, code: Tensor) -> Annotated[Tensor, "B"]:
        return _total(self.weight / 2 * code.square())

    def optimality(self, code: Tensor, gradient: Tensor) -> Tensor:
        return (gradient + self.weight * code).abs()


@penalties.register("group-l2")
class GroupL2(Penalty):
    r"""Sparsity of whole atoms: :math:`\lambda \sum_m |z_m|_2`, an atom's row over all columns being one group.

    An atom serves every column of the values or none of them. Its optimality is a number an atom.
    Source: Yuan and Lin 2006.

    Example:
        >>> GroupL2(1.0).prox(torch.tensor([[[3.0, 4.0], [0.3, 0.4]]]), 1.0)
        tensor([[[2.4000, 3.2000],
                 [0.0000, 0.0000]]])
    """

    separable: ClassVar[bool] = False

    def prox(self, v: Tensor, scale: Threshold) -> Tensor:
        return group_soft_threshold(v, self.weight * scale)

    def value(self, code: Tensor) -> Annotated[Tensor, "B"]:
        return _total(self.weight * code.norm(dim=-1, keepdim=True))

    def optimality(self, code: Tensor, gradient: Tensor) -> Tensor:
        size = code.norm(dim=-1, keepdim=True)
        at_zero = (gradient.norm(dim=-1, keepdim=True) - self.weight).clamp_min(0)
        direction = code / torch.where(size > 0, size, 1)
        return torch.where(size == 0, at_zero, (gradient + self.weight * direction).norm(dim=-1, keepdim=True))


@penalties.register("hard-threshold")
class HardThreshold(Penalty):
    r"""A price on every entry that is not zero: :math:`\lambda |z|_0`. Not convex, so nothing accelerates it safely.

    Optimality is necessary here, not sufficient: entries in use have no gradient.
    Source: Blumensath and Davies 2008 (iterative hard thresholding).

    Example:
        >>> HardThreshold(1.0).prox(torch.tensor([[-3.0, 0.5, 2.0]]), 1.0)
        tensor([[-3.,  0.,  2.]])
    """

    proximal: ClassVar[bool] = False

    def prox(self, v: Tensor, scale: Threshold) -> Tensor:
        return hard_threshold(v, self.weight * scale)

    def value(self, code: Tensor) -> Annotated[Tensor, "B"]:
        return _total(self.weight * (code != 0).to(code))

    def optimality(self, code: Tensor, gradient: Tensor) -> Tensor:
        return torch.where(code == 0, 0, gradient.abs())


@penalties.register("gelu")
class GELUShrinkage(Penalty):
    """The released VARS shrinkage in a penalty's clothes: it has a step but no value, and is not proximal.

    Source: bfshi/VARS, ``vars_block.py``; see :func:`gelu_shrinkage`.

    Example:
        >>> GELUShrinkage(1.0).prox(torch.tensor([[0.5, 3.0]]), 1.0)
        tensor([[-0.1543,  1.9545]])
    """

    proximal: ClassVar[bool] = False

    def prox(self, v: Tensor, scale: Threshold) -> Tensor:
        return gelu_shrinkage(v, self.weight * scale)

    def value(self, code: Tensor) -> None:
        return None

    def optimality(self, code: Tensor, gradient: Tensor) -> Tensor:
        """Refuse: there is no function whose subdifferential could be met.

        Raises:
            ValueError: always.
        """
        raise ValueError("the GELU shrinkage is the step of no penalty: it has no optimality")


def _total(entries: Tensor) -> Annotated[Tensor, "B"]:
    return entries.flatten(1).sum(1)
