"""What the maps of a trained network look like on test series: how far they hear, their rank, and how they change."""

from collections.abc import Iterator

import torch

from unroll.models import SeriesModel
from unroll.study.metrics import effective_tokens, map_rank, map_similarity
from unroll.study.series.data import SeriesDataset, SeriesSplit

SERIES = 8  # how many test series are looked at; a rank costs N^3

Look = tuple[str, int, float]


@torch.no_grad()
def look_inside(model: SeriesModel, data: SeriesDataset) -> Iterator[Look]:
    """Yield measure, layer (from 1) and value, as means over the first test series, each looked at without padding."""
    model.eval()
    split = data.test.to(next(model.parameters()).device)
    looks = [look for index in range(min(SERIES, len(split))) for look in _of_one(model, split, index)]
    for measure, layer in dict.fromkeys((measure, layer) for measure, layer, _ in looks):
        values = [value for other, place, value in looks if (other, place) == (measure, layer)]
        yield measure, layer, sum(values) / len(values)


def _of_one(model: SeriesModel, split: SeriesSplit, index: int) -> Iterator[Look]:
    maps = model.attention_maps(split.values[index, split.mask[index]][None])
    for layer, attention_map in enumerate(maps, start=1):
        yield "effective tokens", layer, effective_tokens(attention_map)
        yield "map rank", layer, map_rank(attention_map)
        yield "similarity to layer 1", layer, map_similarity(maps[0], attention_map)
        if layer > 1:
            yield "similarity to the layer before", layer, map_similarity(maps[layer - 2], attention_map)
