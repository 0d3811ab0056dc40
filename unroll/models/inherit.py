"""What a new layer can take over from the softmax attention that it replaces."""

import torch
from torch import nn

from unroll.attention import Attention
from unroll.models.foreign import Affine, Source

# Which maps stand side by side in a layer's projection, by their number.
_MAPS = {1: ("value",), 2: ("query", "value"), 3: ("query", "key", "value")}


@torch.no_grad()
def inherit(layer: Attention, source: Source) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Copy the maps of a softmax attention into a layer, and return the names of those kept and of those lost.

    Softmax attention takes all, and then computes the same. A layer whose queries are its keys takes the queries' map
    for both; one without queries takes values and output. A map without bias becomes one whose bias is zero; a map of
    another shape stays as the layer drew it.
    """
    places, kept, lost = _places(layer), [], []
    for name in ("query", "key", "value", "output"):
        given: Affine = getattr(source, name)
        place = places.get(name)
        if place is None:
            lost.append(name)
            continue
        if given.weight.shape != place.weight.shape:
            lost.append(f"{name} (of shape {list(given.weight.shape)})")
            continue
        place.weight.copy_(given.weight)
        if place.bias is None and given.bias is not None:
            lost.append(f"the bias of {name}")
        elif place.bias is not None and given.bias is None:
            place.bias.zero_()
        elif place.bias is not None:
            place.bias.copy_(given.bias)
        kept.append(name)
    return (*kept, *source.kept), (*lost, *source.lost)


def _places(layer: Attention) -> dict[str, Affine]:
    """Return the maps of a layer by their names, for layers that are built as this library's are."""
    projection = getattr(layer, "qkv", getattr(layer, "qv", None))
    output = getattr(layer, "output", None)
    places = {}
    if isinstance(projection, nn.Linear):
        weights = projection.weight.split(layer.dim)
        biases = [None] * len(weights) if projection.bias is None else projection.bias.split(layer.dim)
        places |= zip(_MAPS[len(weights)], map(Affine, weights, biases), strict=True)
    if isinstance(output, nn.Linear):
        places["output"] = Affine.of(output)
    return places
