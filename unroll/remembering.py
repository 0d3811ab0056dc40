"""Objects that know what they were built with, so that they can be built again."""

import functools
import inspect
from collections.abc import Callable


class Remembering:
    """The base of modules whose constructor leaves its arguments in ``settings``.

    Example:
        >>> class Square(Remembering):
        ...     def __init__(self, side, *, filled=False): ...
        >>> Square(3).settings
        {'side': 3}
    """

    settings: dict[str, object]  # what the constructor was called with

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            cls.__init__ = _remembering(cls.__init__)


def _remembering(construct: Callable[..., None]) -> Callable[..., None]:
    """Note the arguments of the outermost constructor of a chain: the one that was called."""
    signature = inspect.signature(construct)

    @functools.wraps(construct)
    def remembering(self: Remembering, *positional: object, **named: object) -> None:
        _, *given = signature.bind(self, *positional, **named).arguments.items()
        self.__dict__.setdefault("settings", dict(given))
        construct(self, *positional, **named)

    return remembering
