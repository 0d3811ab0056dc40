"""Parts of a data set in which every class has the same share."""

from collections.abc import Mapping

import numpy as np

SEED = 20_260_101


def split_by_class(labels: np.ndarray, shares: Mapping[str, float], seed: int = SEED) -> dict[str, np.ndarray]:
    """Return the indices of each part, drawn class by class so that all have the same mixture, in random order.

    Args:
        labels: one of each sample.
        shares: of every class, by the names of the parts; they add up to one.
        seed: decides who goes where.

    Example:
        >>> parts = split_by_class(np.arange(100) % 10, {"train": 0.8, "validation": 0.2})
        >>> {name: len(indices) for name, indices in parts.items()}
        {'train': 80, 'validation': 20}
    """
    rng = np.random.default_rng(seed)
    parts: dict[str, list[np.ndarray]] = {name: [] for name in shares}
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        ends = np.round(np.cumsum(list(shares.values())) * len(members)).astype(int)
        for name, chosen in zip(shares, np.split(members, ends[:-1]), strict=True):
            parts[name].append(chosen)
    return {name: rng.permutation(np.concatenate(chosen)) for name, chosen in parts.items()}
