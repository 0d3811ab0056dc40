"""What each attention gains or loses against another, condition by condition, paired by seed."""

import pandas as pd

from unroll.study.corruptions import COMMON
from unroll.study.robustness import holds_common, shown
from unroll.study.statistics import Paired, paired

TOGETHER = "common corruptions"  # the mean over all fifteen, where a table holds them


def paired_gains(table: pd.DataFrame, base: str = "softmax") -> pd.DataFrame:
    """Return a :class:`Paired` for each attention but ``base`` (rows) and each condition (columns), in points.

    An accuracy is a mean over severities. None stands where no seed has run both; there is no row without the base, or
    with a single seed.
    """
    accuracy = table[table.measure == "accuracy"]
    by_seed = accuracy.pivot_table(index=["condition", "seed"], columns="attention", values="value")
    if base not in by_seed or by_seed.index.levels[1].size < 2:
        return pd.DataFrame()
    tested = {name: by_seed.loc[name] for name in ("clean", *shown(table))}
    if holds_common(table):
        common = by_seed[by_seed.index.get_level_values("condition").isin(COMMON)]
        tested = {"clean": tested.pop("clean"), TOGETHER: common.groupby("seed").mean(), **tested}
    rows = {
        label: {name: _difference(part[label], part[base]) for name, part in tested.items()}
        for label in table.attention.unique()
        if label != base
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def _difference(ours: pd.Series, theirs: pd.Series) -> Paired | None:
    ours, theirs = ours.dropna(), theirs.dropna()  # a seed counts where both have run
    return None if ours.index.intersection(theirs.index).empty else paired(ours, theirs)
