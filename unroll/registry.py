"""Names for things: one small registry class, used for penalties, solvers, attentions and data sets."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Generic, TypeVar

T = TypeVar("T")


def suggest(name: str, known: Iterable[str]) -> str:
    """Return the end of an error message: the nearest known name, then all of them."""
    known = sorted(known)
    near = get_close_matches(str(name), known, n=1)
    return (f"did you mean {near[0]!r}? " if near else "") + f"known: {', '.join(known)}"


class Registry(Generic[T]):
    """A mapping from names to registered objects that suggests the nearest name when it misses.

    Example:
        >>> shapes = Registry("shape")
        >>> @shapes.register("square")
        ... class Square: ...
        >>> shapes.names()
        ['square']
    """

    def __init__(self, noun: str) -> None:
        self.noun = noun
        self._entries: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that files an object under ``name``; a name is given once.

        Raises:
            ValueError: when another object already holds the name.
        """

        def file(entry: T) -> T:
            known = self._entries.get(name)
            # A notebook cell that is run again defines the same class anew: that replaces it.
            if known is not None and _origin(known) != _origin(entry):
                raise ValueError(f"{self.noun} {name!r} is already registered, by {_origin(known)}")
            self._entries[name] = entry
            return entry

        return file

    def __getitem__(self, name: str) -> T:
        """Return the object called ``name``.

        Raises:
            ValueError: when nothing has that name; the message suggests the nearest one.
        """
        if name not in self._entries:
            raise ValueError(f"unknown {self.noun} {name!r}: {suggest(name, self._entries)}")
        return self._entries[name]

    def make(self, settings: Mapping[str, object]) -> object:
        """Call the object that ``settings`` names under "name" with the rest of them.

        Raises:
            ValueError: on an unknown name, or settings that the object does not take.
        """
        options = dict(settings)
        entry = self[str(options.pop("name", None))]
        try:
            return entry(**options)
        except TypeError as error:
            raise ValueError(f"settings {dict(settings)} do not fit {entry.__name__}: {error}") from error

    def __repr__(self) -> str:
        return f"Registry({self.noun!r}: {', '.join(self.names())})"

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def names(self) -> list[str]:
        """Return all registered names in the order of their registration."""
        return list(self._entries)

    def name_of(self, entry: T) -> str:
        """Return the name under which ``entry`` was registered.

        Raises:
            ValueError: when it was never registered.
        """
        for name, known in self._entries.items():
            if known is entry:
                return name
        raise ValueError(f"{_origin(entry)} is not a registered {self.noun}")


def _origin(entry: object) -> str:
    return f"{getattr(entry, '__module__', '?')}.{getattr(entry, '__qualname__', entry)}"
