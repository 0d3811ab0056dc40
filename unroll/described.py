"""Things that say what they are: a tensor is told by its dtype and shape, not by its numbers."""

from dataclasses import fields, is_dataclass

from torch import Tensor


class Described:
    """The base of dataclasses that hold tensors: ``repr`` gives their shapes, and leaves out what is None.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass
        ... class Pair(Described):
        ...     left: torch.Tensor
        ...     right: float
        >>> Pair(torch.zeros(2, 3), 0.5)
        Pair(left=float32[2, 3], right=0.5)
    """

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        # A dataclass writes a repr of its own over an inherited one, but not over one that its class holds.
        cls.__repr__ = cls.__repr__

    def __repr__(self) -> str:
        known = fields(self) if is_dataclass(self) else ()
        shown = ((field.name, getattr(self, field.name)) for field in known if field.repr)
        parts = (f"{name}={_told(value)}" for name, value in shown if value is not None)
        return f"{type(self).__name__}({', '.join(parts)})"


def _told(value: object) -> str:
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
    return repr(value)
