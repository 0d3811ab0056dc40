"""Time series: sets, training, and the study of evolving attention on them."""

from unroll.study.series.contenders import contenders
from unroll.study.series.data import SeriesDataset, SeriesSplit, load_series, series_sets
from unroll.study.series.figure import changes, ranking
from unroll.study.series.study import SeriesSettings, run_series_study
from unroll.study.series.training import SeriesRecipe, judge, train_series
from unroll.study.series.verdict import critical_difference, friedman, gains, ranks, scores

__all__ = [
    "SeriesDataset",
    "SeriesRecipe",
    "SeriesSettings",
    "SeriesSplit",
    "changes",
    "contenders",
    "critical_difference",
    "friedman",
    "gains",
    "judge",
    "load_series",
    "ranking",
    "ranks",
    "run_series_study",
    "scores",
    "series_sets",
    "train_series",
]
