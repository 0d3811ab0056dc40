"""Corrupted copies of a split, made once for all the networks that are judged on it."""

from weakref import WeakKeyDictionary

from unroll.study.corruptions.base import Corruption, corrupt, corruptions
from unroll.study.data import Split

Key = tuple[str, Corruption, int, int]


class Copies:
    """Make the copies of :func:`corrupt` once, and keep them as long as the split itself and up to a size.

    What no longer fits is made anew at each call. Nothing makes room for it: networks meet the conditions in the same
    order, and of a round longer than the memory the oldest copy is always the next to be asked for.

    Args:
        limit: bytes of images that are kept of one split.

    Example:
        >>> from unroll.study.data import load
        >>> copies, test = Copies(limit=2**20), load("digits").test
        >>> copies(test, "fog", 3) is copies(test, "fog", 3)
        True
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._kept: WeakKeyDictionary[Split, dict[Key, Split]] = WeakKeyDictionary()

    def __call__(self, data: Split, name: str, severity: int) -> Split:
        """Return the corrupted copy of a split; it is shared, so leave its tensors alone."""
        kept = self._kept.setdefault(data, {})
        # A change in place makes other images, a cell run again another corruption.
        key = (name, corruptions[name], severity, data.images._version)
        if key not in kept:
            made = corrupt(data, name, severity)
            if sum(copy.images.nbytes for copy in (made, *kept.values())) > self.limit:
                return made
            kept[key] = made
        return kept[key]
