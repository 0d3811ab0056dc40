"""The mean corruption error. To be replaced, file and all, by unroll.study.corruption_error (the same name there)."""

import pandas as pd

COMMON = (
    *("gaussian noise", "shot noise", "impulse noise", "defocus blur", "glass blur", "motion blur", "zoom blur"),
    *("snow", "frost", "fog", "brightness", "contrast", "elastic transform", "pixelate", "jpeg compression"),
)


def mean_corruption_errors(table: pd.DataFrame, base: str = "softmax") -> pd.DataFrame:
    r"""Return the mean corruption error in per cent: one row an attention and seed.

    .. math:: \mathrm{mCE} = \frac{100}{15} \sum_c \frac{\sum_s E_{s,c}}{\sum_s E^\text{base}_{s,c}}

    Raises:
        ValueError: when an attention lacks a corruption.

    Source: Hendrycks and Dietterich 2019.
    """
    accuracy = table[table.measure == "accuracy"]
    wide = accuracy.pivot_table(index=["attention", "seed"], columns="condition", values="value")
    wide = wide.reindex(columns=list(COMMON))
    if wide.isna().any(axis=None):
        raise ValueError("table must hold the accuracy of each attention under each of the fifteen corruptions")
    error = 100 - wide
    of_base = error.loc[base].reindex(error.index.get_level_values("seed")).set_axis(error.index)
    return (100 * error / of_base).mean(axis=1).rename("mCE (%)").reset_index()
