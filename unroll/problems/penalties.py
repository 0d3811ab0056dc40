"""Penalties: what a code pays for its size. Each knows its value, its proximal operator, and if it has one."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor

from unroll import validate
from unroll.problems.prox import Threshold, gelu_shrinkage, nonnegative_soft_threshold, soft_threshold
from unroll.registry import Registry

penalties: Registry[type["Penalty"]] = Registry("penalty")


@dataclass(frozen=True, eq=False)
class Penalty(ABC):
    """A function of the code with a weight lambda.

    Args:
        weight: lambda >= 0, in units of the correlations ``F'V``; a number, or a tensor that broadcasts with the
            code (one weight a head: shape [H, 1, 1]). The values of a tensor are not inspected.

    Raises:
        ValueError: when a number is negative or not finite.
    """

    weight: Threshold
    proximal: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not isinstance(self.weight, Tensor):
            validate.at_least("weight (lambda)", self.weight, 0)

    @abstractmethod
    def prox(self, v: Tensor, scale: Threshold) -> Tensor:
        """Return ``argmin_z 1/2 |z - v|^2 + scale * value(z)``; ``scale`` is the step size 1 / L."""

    @abstractmethod
    def value(self, code: Tensor) -> Annotated[Tensor, "B"] | None:
        """Return the penalty of each sample, or None where there is none to speak of."""


@penalties.register("l1")
class L1(Penalty):
    r"""Sparsity: :math:`\lambda |z|_1`."""

    def prox(self, v: Tensor, scale: Threshold) -> Tensor:
        return soft_threshold(v, self.weight * scale)

    def value(self, code: Tensor) -> Annotated[Tensor, "B"]:
        return (self.weight * code.abs()).flatten(1).sum(1)


@penalties.register("nonnegative-l1")
class NonNegativeL1(Penalty):
    r"""Sparsity of codes that are never negative: :math:`\lambda \sum z` for z >= 0, infinite elsewhere."""

    def prox(self, v: Tensor, scale: Threshold) -> Tensor:
        return nonnegative_soft_threshold(v, self.weight * scale)

    def value(self, code: Tensor) -> Annotated[Tensor, "B"]:
        charged = (self.weight * code).masked_fill(code < 0, float("inf"))
        return charged.flatten(1).sum(1)


@penalties.register("ridge")
class Ridge(Penalty):
    r"""Shrinkage without sparsity: :math:`\tfrac{\lambda}{2} |z|^2`."""

    def prox(self, v: Tensor, scale: Threshold) -> Tensor:
        return v / (1 + self.weight * scale)

    def value(self, code: Tensor) -> Annotated[Tensor, "B"]:
        return (self.weight / 2 * code.square()).flatten(1).sum(1)


@penalties.register("gelu")
class GELUShrinkage(Penalty):
    """The released VARS shrinkage in a penalty's clothes: it has a step but no value, and is not proximal."""

    proximal: ClassVar[bool] = False

    def prox(self, v: Tensor, scale: Threshold) -> Tensor:
        return gelu_shrinkage(v, self.weight * scale)

    def value(self, code: Tensor) -> None:
        return None
