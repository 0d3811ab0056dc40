"""Everything a network is put to beside clean images: corruptions, the same for all, and attacks, made for each.

Corruptions are made here, or were published with a data set.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pandas as pd
from torch import nn

from unroll.study.attacks import Attack, attacks
from unroll.study.corruptions import COMMON, Condition, Copies, corruptions
from unroll.study.data import Split
from unroll.study.sets import Published, published

STANDARD = ("gaussian noise", "token occlusion", "fgsm")  # what a study looks at when it does not say

# Every corruption of 1,000 gray images of 28 x 28 takes 0.4 GiB: made once, whatever the number of networks.
_copies = Copies(limit=2**30)


def conditions(table: pd.DataFrame | None = None) -> dict[str, Condition]:
    """Return every corruption and attack by name, or only those that a tidy table holds."""
    every = {name: registry[name] for registry in (corruptions, attacks, published) for name in registry}
    return every if table is None else {name: every[name] for name in every if (table.condition == name).any()}


def shown(table: pd.DataFrame) -> dict[str, Condition]:
    """Return the conditions of a tidy table that are told one by one.

    Where it holds all common corruptions, Gaussian noise stands for them: the rest is for corruption errors to tell.
    """
    held = conditions(table)
    return {name: held[name] for name in held if name not in COMMON[1:]} if holds_common(table) else held


def holds_common(table: pd.DataFrame) -> bool:
    """Return whether a table tells of all the common corruptions."""
    return set(COMMON) <= set(table.condition)


def spoiled(model: nn.Module, data: Split, names: Iterable[str] = STANDARD) -> Iterator[tuple[str, int, Split]]:
    """Yield the name of a condition, a severity, and the images that ``model`` has to face under it.

    Dear conditions are looked at in some of the severities, dear attacks on the first images of the split.
    """
    every = conditions()
    for name in names:
        condition = every[name]
        for severity, strength in condition.severities.items():
            if isinstance(condition, Attack):
                part = data.first(condition.images or len(data))
                yield name, severity, replace(part, images=condition.apply(model, part, strength))
            elif isinstance(condition, Published):
                yield name, severity, replace(data, images=condition.apply(data, severity))
            else:
                yield name, severity, _copies(data, name, severity)
