"""From the tidy table to one row an attention."""

import pandas as pd

from unroll.study.corruption_error import mean_corruption_errors
from unroll.study.robustness import holds_common, shown
from unroll.study.statistics import half_width

_INSIDE = (
    "effective tokens",
    "mixing",
    "exact zeros",
    "distance to fixed point",
    "reconstruction error",
    "gain",
)


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row an attention, in the table's order: means over seeds, and the 95 % interval of clean accuracy.

    Accuracies are in per cent, those under a condition averaged over its severities, and so is the mean corruption
    error, mCE, where all common corruptions and softmax are there; the measures inside the network are averaged over
    layers; ``± clean`` is half of Student's interval over seeds (none for one seed).
    """
    accuracy = table[table.measure == "accuracy"]
    columns = {"clean": _mean(accuracy[accuracy.condition == "clean"])}
    columns["± clean"] = _half_width(accuracy[accuracy.condition == "clean"])
    if (table.measure == "calibration error").any():
        columns["calibration error"] = _mean(table[table.measure == "calibration error"])
    if holds_common(table) and (table.attention == "softmax").any():
        columns["mCE"] = mean_corruption_errors(table).groupby("attention")["mCE (%)"].mean()
    for name in shown(table):
        columns[name] = _mean(accuracy[accuracy.condition == name])
    for name in _INSIDE:
        columns[name] = _mean(table[table.measure == name])
    columns["parameters"] = _mean(table[table.measure == "parameters"])
    columns["seconds"] = _mean(table[table.measure == "training seconds"])
    columns["seeds"] = table.groupby("attention").seed.nunique()
    return pd.DataFrame(columns).reindex(table.attention.unique())


def _by_seed(part: pd.DataFrame) -> pd.Series:
    return part.groupby(["attention", "seed"]).value.mean()


def _mean(part: pd.DataFrame) -> pd.Series:
    return _by_seed(part).groupby("attention").mean()


def _half_width(part: pd.DataFrame) -> pd.Series:
    return _by_seed(part).groupby("attention").agg(half_width)
