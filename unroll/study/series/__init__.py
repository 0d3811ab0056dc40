"""Time series: sets, training, and the study of evolving attention on them."""

from unroll.study.series.data import SeriesDataset, SeriesSplit, load_series, series_sets

__all__ = ["SeriesDataset", "SeriesSplit", "load_series", "series_sets"]
