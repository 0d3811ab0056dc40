"""Everything a network is put to beside clean images: corruptions, the same for all, and attacks, made for each."""

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd
from torch import nn

from unroll.study.attacks import Attack, attacks
from unroll.study.corruptions import SEVERITIES, Condition, corrupt, corruptions
from unroll.study.data import Split


def conditions(table: pd.DataFrame | None = None) -> dict[str, Condition]:
    """Return every corruption and attack by name, or only those that a tidy table holds."""
    every = {name: registry[name] for registry in (corruptions, attacks) for name in registry}
    return every if table is None else {name: every[name] for name in every if (table.condition == name).any()}


def spoiled(model: nn.Module, data: Split) -> Iterator[tuple[str, int, Split]]:
    """Yield the name of a condition, a severity, and the images that ``model`` has to face under it."""
    for name, condition in conditions().items():
        for severity in SEVERITIES:
            if isinstance(condition, Attack):
                images = condition.apply(model, data, condition.strengths[severity - 1])
                yield name, severity, replace(data, images=images)
            else:
                yield name, severity, corrupt(data, name, severity)
