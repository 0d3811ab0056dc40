"""Argument checks: one clear error that names the argument, what was expected and what came."""

import math
from collections.abc import Iterable
from numbers import Integral, Real

from torch import Tensor

from unroll.registry import suggest


def positive(name: str, value: float) -> float:
    """Return ``value`` if it is a finite number above zero, else raise ValueError."""
    if not (_is_number(value) and math.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be a finite number > 0, got {value!r}")
    return value


def at_least(name: str, value: float, low: float) -> float:
    """Return ``value`` if it is a finite number that is not below ``low``, else raise ValueError."""
    if not (_is_number(value) and math.isfinite(value) and value >= low):
        raise ValueError(f"{name} must be a finite number >= {low}, got {value!r}")
    return value


def count(name: str, value: int, low: int = 1) -> int:
    """Return ``value`` if it is a whole number that is not below ``low``, else raise ValueError."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < low:
        raise ValueError(f"{name} must be a whole number >= {low}, got {value!r}")
    return value


def share(name: str, value: float) -> float:
    """Return ``value`` if it lies between 0 and 1, both included, else raise ValueError."""
    if not (_is_number(value) and 0 <= value <= 1):
        raise ValueError(f"{name} must lie between 0 and 1, got {value!r}")
    return value


def choice(name: str, value: str, known: Iterable[str]) -> str:
    """Return ``value`` if it is one of ``known``, else raise ValueError with the nearest name."""
    known = list(known)
    if value not in known:
        raise ValueError(f"unknown {name} {value!r}: {suggest(value, known)}")
    return value


def absent(name: str, value: object, reason: str) -> None:
    """Raise ValueError, with the reason, unless an argument that cannot be honoured is None or False."""
    if value is not None and value is not False:
        got = f"a tensor of shape {list(value.shape)}" if isinstance(value, Tensor) else repr(value)
        raise ValueError(f"{name} must be None or False: {reason}; got {got}")


def shape(name: str, tensor: Tensor, expected: tuple[int | str, ...]) -> None:
    """Raise ValueError unless the tensor has this shape; a string stands for any size and names the axis."""
    fits = tensor.ndim == len(expected) and all(
        isinstance(size, str) or size == actual for size, actual in zip(expected, tensor.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join(str(size) for size in expected)
        raise ValueError(f"{name} must have shape [{wanted}], got {list(tensor.shape)}")


def square(name: str, matrix: Tensor) -> Tensor:
    """Return ``matrix`` if its last two dimensions agree, else raise ValueError."""
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
        raise ValueError(f"{name} must have shape [..., M, M], got {list(matrix.shape)}")
    return matrix


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
