"""What a penalty is: a function of the code that knows its value, its proximal operator, and where it is optimal."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, ClassVar

from torch import Tensor

from unroll import validate
from unroll.described import Described
from unroll.problems.prox import Threshold
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

    Example:
        >>> from unroll.problems import L1
        >>> penalty = L1(0.5)
        >>> penalty.value(torch.tensor([[3.0, -1.0]])), penalty.prox(torch.tensor([[3.0, -1.0]]), 2.0)
        (tensor([2.]), tensor([[2., -0.]]))
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
