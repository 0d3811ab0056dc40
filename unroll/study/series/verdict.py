"""What a study on time series says: means, ranks with their critical difference, and paired intervals."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy import stats

from unroll.study.statistics import ENOUGH, Paired, paired

LEVEL = 0.05


def scores(table: pd.DataFrame) -> pd.DataFrame:
    """Return the mean over seeds, one row a set and one column a model, in the table's order."""
    means = table.pivot_table(index="set", columns="model", values="value", sort=False)
    return means.reindex(index=table["set"].unique(), columns=table["model"].unique())


def ranks(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rank of each model on each set, by the mean over seeds: 1 is the best, ties share their mean rank."""
    better_high = table.groupby("set").measure.first() == "accuracy"
    means = scores(table)
    return means.mul(np.where(better_high[means.index], -1, 1), axis=0).rank(axis=1)


def critical_difference(models: int, sets: int, level: float = LEVEL) -> float:
    r"""Return by how much two average ranks must differ for Nemenyi's test to tell two models apart.

    .. math:: \mathrm{CD} = q_\alpha \sqrt{k (k + 1) / (6 n)}

    for k models and n sets; q is the quantile of the studentised range divided by the root of 2.

    Source: Demšar 2006 (Statistical comparisons of classifiers over multiple data sets).

    Example:
        >>> critical_difference(models=4, sets=9)
        1.563
    """
    quantile = stats.studentized_range.ppf(1 - level, models, np.inf) / 2**0.5
    return float(quantile * (models * (models + 1) / (6 * sets)) ** 0.5)


def friedman(table: pd.DataFrame) -> float | None:
    """Return the p value of Friedman's test that all models do equally well; None below three models or sets."""
    means = ranks(table)
    if min(means.shape) < 3:
        return None
    return float(stats.friedmanchisquare(*means.to_numpy().T).pvalue)


def gains(table: pd.DataFrame, base: str) -> pd.DataFrame:
    """Return what each model gains over ``base`` on each set, paired by seed, as mean and 95 % Student interval.

    A gain is in points of accuracy, or how much smaller the error is in per cent of that of ``base``: more is better.
    With fewer than five seeds low and high are the lowest and the highest seed, and there is no verdict.

    Raises:
        ValueError: when the table does not hold ``base``.
    """
    if base not in set(table["model"]):
        raise ValueError(f"base must be one of {', '.join(table['model'].unique())}, got {base!r}")
    return pd.DataFrame(list(_gains(table, base)))


def _gains(table: pd.DataFrame, base: str) -> Iterator[dict[str, object]]:
    for name in table["set"].unique():
        part = table[table["set"] == name]
        by_seed = part.pivot(index="seed", columns="model", values="value")
        for model in table["model"].unique():
            if model == base:
                continue
            gain = by_seed[model] - by_seed[base]
            if part.measure.iloc[0] == "RMSE":
                gain = -100 * gain / by_seed[base]
            # A seed counts where both have run.
            yield {"set": name, "model": model, **_told(paired(gain.dropna()))}


def _told(found: Paired) -> dict[str, object]:
    low, high = found.span if found.seeds < ENOUGH else found.student
    return {"seeds": found.seeds, "gain": found.mean, "low": low, "high": high, "verdict": found.finding.gain}
