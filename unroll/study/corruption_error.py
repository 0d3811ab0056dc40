"""Corruption errors: how much a network errs under the common corruptions, beside the softmax of the same seed."""

import numpy as np
import pandas as pd

from unroll import validate
from unroll.study.corruptions import COMMON, SEVERITIES

_LEVELS = [("clean", 0), *((name, severity) for name in COMMON for severity in SEVERITIES)]

_NOTHING = 1e-9  # per cent: what round-off leaves of sums that are equal


def corruption_errors(table: pd.DataFrame, base: str = "softmax") -> pd.DataFrame:
    r"""Return the corruption error and the relative one, both in per cent: one row an attention, seed and corruption.

    With :math:`E^f_{s,c}` the share of images that network f gets wrong under corruption c at severity s,

    .. math::
        \mathrm{CE}^f_c = \frac{\sum_{s=1}^5 E^f_{s,c}}{\sum_{s=1}^5 E^\text{base}_{s,c}}
        \qquad
        \text{relative } \mathrm{CE}^f_c = \frac{\sum_{s=1}^5 (E^f_{s,c} - E^f_\text{clean})}
        {\sum_{s=1}^5 (E^\text{base}_{s,c} - E^\text{base}_\text{clean})}

    where the base is the network of the same seed. The first tells who errs less, the second whose accuracy falls
    less; each is not a number where the base itself does not err, or loses nothing, as under the mild levels of some
    corruptions of small images it may.

    Args:
        table: tidy: attention, seed, measure, condition, level, value; other measures and conditions are passed over.
        base: the attention that the others are held against.

    Raises:
        ValueError: when the base, or its network of some seed, is not in the table; when an attention lacks its
            accuracy on clean images or under one of the fifteen corruptions at one of the five severities.

    Source: Hendrycks and Dietterich 2019, where the base is AlexNet.

    Example:
        >>> rows = [("clean", 0), *((name, severity) for name in COMMON for severity in SEVERITIES)]
        >>> table = pd.DataFrame([(who, 0, "accuracy", *row, 90 if row == ("clean", 0) else under)
        ...                       for who, under in (("softmax", 50), ("vars-d", 60)) for row in rows],
        ...                      columns=["attention", "seed", "measure", "condition", "level", "value"])
        >>> corruption_errors(table).query("attention == 'vars-d' and condition == 'fog'")
           attention  seed condition  CE (%)  relative CE (%)
        24    vars-d     0       fog    80.0             75.0
    """
    validate.choice("attention", base, table.attention.unique())
    error = 100 - _accuracies(table)
    seeds = error.index.get_level_values("seed")
    for label, seed in error.index:
        if (base, seed) not in error.index:
            raise ValueError(f"seed {seed} of {label!r} has no {base!r} of the same seed beside it")
    # Sums over the severities; levels of the index keep the order of the table.
    total = error[list(COMMON)].T.groupby(level="condition", sort=False).sum().T
    lost = total.sub(len(SEVERITIES) * error["clean", 0], axis=0)
    columns = {}
    for name, sums in (("CE (%)", total), ("relative CE (%)", lost)):
        of_base = sums.loc[base].loc[seeds].set_axis(sums.index)
        columns[name] = (100 * sums / of_base.where(of_base > _NOTHING)).stack(future_stack=True)
    return pd.DataFrame(columns).reset_index()


def mean_corruption_errors(table: pd.DataFrame, base: str = "softmax") -> pd.DataFrame:
    r"""Return the mean corruption error and the relative one, both in per cent: one row an attention and seed.

    .. math::
        \mathrm{mCE}^f = \frac{1}{15} \sum_c \mathrm{CE}^f_c
        \qquad
        \text{relative } \mathrm{mCE}^f = \frac{1}{15} \sum_c \text{relative } \mathrm{CE}^f_c

    The base has 100 in both. A mean is not a number where one of its parts is not: see :func:`corruption_errors`,
    also for arguments and errors.

    Source: Hendrycks and Dietterich 2019.

    Example:
        >>> rows = [("clean", 0), *((name, severity) for name in COMMON for severity in SEVERITIES)]
        >>> table = pd.DataFrame([(who, 0, "accuracy", *row, 90 if row == ("clean", 0) else under)
        ...                       for who, under in (("softmax", 50), ("vars-d", 60)) for row in rows],
        ...                      columns=["attention", "seed", "measure", "condition", "level", "value"])
        >>> mean_corruption_errors(table)
          attention  seed  mCE (%)  relative mCE (%)
        0   softmax     0    100.0             100.0
        1    vars-d     0     80.0              75.0
    """
    errors = corruption_errors(table, base).rename(columns={"CE (%)": "mCE (%)", "relative CE (%)": "relative mCE (%)"})
    grouped = errors.drop(columns="condition").groupby(["attention", "seed"], sort=False)
    return grouped.agg(lambda parts: parts.mean(skipna=False)).reset_index()


def _accuracies(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row an attention and seed, one column a condition and level: clean, then the common corruptions."""
    accuracy = table[table.measure == "accuracy"]
    wide = accuracy.pivot(index=["attention", "seed"], columns=["condition", "level"], values="value")
    order = accuracy[["attention", "seed"]].drop_duplicates()
    wide = wide.reindex(index=pd.MultiIndex.from_frame(order), columns=pd.MultiIndex.from_tuples(_LEVELS))
    wide.columns.names = ["condition", "level"]
    missing = np.argwhere(wide.isna())
    if len(missing):
        row, column = missing[0]
        (label, seed), (condition, level) = wide.index[row], wide.columns[column]
        where = "on clean images" if condition == "clean" else f"under {condition!r} at severity {level}"
        raise ValueError(f"table must hold the accuracy of {label!r}, seed {seed}, {where}")
    return wide
