"""Everything a network is put to beside clean images: corruptions, the same for all, and attacks, made for each."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pandas as pd
from torch import nn

from unroll.study.attacks import Attack, attacks
from unroll.study.corruptions import Condition, corrupt, corruptions
from unroll.study.data import Split

STANDARD = ("gaussian noise", "token occlusion", "fgsm")  # what a study looks at when it does not say


def conditions(table: pd.DataFrame | None = None) -> dict[str, Condition]:
    """Return every corruption and attack by name, or only those that a tidy table holds."""
    every = {name: registry[name] for registry in (corruptions, attacks) for name in registry}
    return every if table is None else {name: every[name] for name in every if (table.condition == name).any()}


def spoiled(model: nn.Module, data: Split, names: Iterable[str] = STANDARD) -> Iterator[tuple[str, int, Split]]:
    """Yield the name of a condition, a severity, and the images that ``model`` has to face under it.

    Dear conditions are looked at in some of the severities, dear attacks on the first images of the split.
    """
    every = conditions()
    for name in names:
        condition = every[name]
        for severity in condition.severities:
            if isinstance(condition, Attack):
                part = data.first(condition.images or len(data))
                images = condition.apply(model, part, condition.strengths[severity - 1])
                yield name, severity, replace(part, images=images)
            else:
                yield name, severity, corrupt(data, name, severity)
