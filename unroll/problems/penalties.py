"""Penalties: what a code pays for its size. Each knows its value, its proximal operator, and if it has one."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from unroll import validate
from unroll.described import Described
from unroll.problems.prox import (
    Threshold,
    gelu_shrinkage,
    group_soft_threshold,
    hard_threshold,
    nonnegative_soft_threshold,
    soft_threshold,
)
from unroll.registry import Registry

penalties: Registry[type["Penalty"]] = Registry("penalty")


@dataclass(frozen=True, eq=False)
class Penalty(Described, ABC):
    """A function of the code with a weight lambda.

    Args:
        weight: lambda >= 0, in units of the correlations ``F'V``; a number, or a tensor that broadcasts with the
            code (one weight a head: shape [H, 1, 1]). The values of a tensor are not inspected.

    Raises:
        ValueError: when a number is negative or not finite.
    """

    weight: Threshold
    proximal: ClassVar[bool] = True
    separable: ClassVar[bool] = True  # an entry of the prox depends on that entry alone

    def __post_init__(self) -> None:
        if not isinstance(self.weight, Tensor):
            validate.at_least("weight (lambda)", self.weight, 0)

    @abstractmethod
    def prox(self, v: Tensor, scale: Threshold) -> Tensor:
        """Return ``argmin_z 1/2 |z - v|^2 + scale * value(z)``; ``scale`` is the step size 1 / L."""

    @abstractmethod
    def optimality(self, code: Tensor, gradient: Tensor) -> Tensor:
        """Return how far ``-gradient`` is from the subdifferential of ``value`` at the code, entry by entry.

        ``gradient`` is that of the smooth part. The result is zero exactly where the code is optimal.
        """

    @abstractmethod
    def value(self, code: Tensor) -> Annotated[Tensor, "B"] | None:
        """Return the penalty of each sample, or None where there is none to speak of."""

    def to_dict(self) -> dict[str, object]:
        """Return the settings as plain values; :func:`from_dict` makes the penalty again.

        Raises:
            ValueError: when the weight is a tensor: that was computed or learned, and is no setting.
        """
        if isinstance(self.weight, Tensor):
            raise ValueError(f"weight (lambda) must be a number to be written down, got {self!r}")
        return {
            "name": penalties.name_of(type(self)),
            **{field.name: getattr(self, field.name) for field in fields(self)},
        }


def from_dict(settings: Mapping[str, object]) -> Penalty:
    """Make the penalty that ``to_dict`` described.

    Raises:
        ValueError: on an unknown penalty name, or a setting that it does not take.

    Example:
        >>> from_dict({"name": "elastic-net", "weight": 0.1, "ratio": 0.25})
        ElasticNet(weight=0.1, ratio=0.25)
    """
    return penalties.make(settings)


@penalties.register("l1")
class L1(Penalty):
    r"""Sparsity: :math:`\lambda |z|_1`.

    Source: Tibshirani 1996; Chen, Donoho and Saunders 1998.
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
    r"""Sparsity of codes that are never negative: :math:`\lambda \sum z` for z >= 0, infinite elsewhere."""

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
    """The released VARS shrinkage in a penalty's clothes: it has a step but no value, and is not proximal."""

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
