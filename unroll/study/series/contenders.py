"""Who is compared on time series: what evolving attention adds, one part after the other."""

from collections.abc import Callable

from unroll.models import EADCTransformer, SeriesModel, TimeSeriesTransformer
from unroll.registry import Registry
from unroll.study.series.data import SeriesDataset

contenders: Registry[Callable[[SeriesDataset], SeriesModel]] = Registry("model of time series")
COMPARED = ("transformer", "transformer, evolving", "dilated convolution", "residual logits", "EA-DC")


def _sizes(data: SeriesDataset) -> dict[str, int]:
    return {"channels": data.channels, "length": data.length, "outputs": data.outputs}


@contenders.register("transformer")
def transformer(data: SeriesDataset) -> SeriesModel:
    """Return the plain transformer with batch norm."""
    return TimeSeriesTransformer("softmax", **_sizes(data))


@contenders.register("dilated convolution")
def dilated(data: SeriesDataset) -> SeriesModel:
    """Return the dilated convolutions of EA-DC, without attention."""
    return EADCTransformer(**_sizes(data), attention=False)


@contenders.register("residual logits")
def residual(data: SeriesDataset) -> SeriesModel:
    """Return EA-DC whose maps are handed on and mixed, and not convolved."""
    return EADCTransformer(**_sizes(data), convolution=False)


@contenders.register("EA-DC")
def ea_dc(data: SeriesDataset) -> SeriesModel:
    """Return dilated convolutions beside evolving attention."""
    return EADCTransformer(**_sizes(data))


@contenders.register("transformer, evolving")
def evolving(data: SeriesDataset) -> SeriesModel:
    """Return the plain transformer with evolving attention in the place of softmax."""
    return TimeSeriesTransformer("evolving", **_sizes(data))


@contenders.register("transformer, padding heard")
def hearing(data: SeriesDataset) -> SeriesModel:
    """Return the plain transformer that takes padding for time steps, as the released code does."""
    return TimeSeriesTransformer("softmax", **_sizes(data), masked=False)


@contenders.register("EA-DC, padding heard")
def ea_dc_hearing(data: SeriesDataset) -> SeriesModel:
    """Return EA-DC that takes padding for time steps."""
    return EADCTransformer(**_sizes(data), masked=False)


@contenders.register("EA-DC, published")
def published(data: SeriesDataset) -> SeriesModel:
    """Return EA-DC as it was released, with its defects."""
    return EADCTransformer(**_sizes(data), masked=False, published=True)
