"""What the maps of a trained network look like on test series: how far they hear, their rank, and how they change."""

from collections.abc import Iterator

import torch

from unroll.models import SeriesModel
from unroll.study.metrics import along_layers
from unroll.study.series.data import SeriesDataset

SERIES = 8  # how many test series are looked at; a rank costs N^3

Look = tuple[str, int, float]


@torch.no_grad()
def look_inside(model: SeriesModel, data: SeriesDataset) -> Iterator[Look]:
    """Yield measure, layer (from 1) and value, as means over the first test series, each looked at without padding."""
    model.eval()
    split = data.test.to(next(model.parameters()).device)
    chosen = zip(split.values[:SERIES], split.mask[:SERIES], strict=True)
    looks = [look for values, mask in chosen for look in along_layers(model.attention_maps(values[mask][None]))]
    for measure, layer in dict.fromkeys((measure, layer) for measure, layer, _ in looks):
        values = [value for other, place, value in looks if (other, place) == (measure, layer)]
        yield measure, layer, sum(values) / len(values)
