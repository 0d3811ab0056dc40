"""What a corruption spoils: parts of attention layers are restored from the clean image, the network judged again."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pandas as pd
import torch
from torch import Tensor, nn

from unroll import validate
from unroll.attention import Attention
from unroll.models import ImageModel
from unroll.study.corruptions import corrupt, corruptions
from unroll.study.data import Split
from unroll.study.networks import Network
from unroll.study.robustness import STANDARD

# How a part of the clean layer (first argument) is put into the spoiled one (second); C is the width of the tokens.
PARTS: dict[str, Callable[[Tensor, Tensor, int], Tensor]] = {
    "queries": lambda clean, spoiled, c: torch.cat([clean[..., :-c], spoiled[..., -c:]], dim=-1),
    "values": lambda clean, spoiled, c: torch.cat([spoiled[..., :-c], clean[..., -c:]], dim=-1),
    "outputs": lambda clean, spoiled, c: clean,
    "loudness": lambda clean, spoiled, c: spoiled * (_length(clean) / _length(spoiled).clamp_min(1e-12)),
}


@contextmanager
def restored(model: ImageModel, clean: Tensor, part: str, layers: tuple[int, ...]) -> Iterator[None]:
    """Run what is called within this context with one part of some attention layers as it is on the clean images.

    Args:
        model: the network; it must be called on the same images, spoiled.
        clean: the clean images.
        part: "queries" (with the keys, where there are any: they decide who is heard), "values" (what is heard),
            "outputs" (all that a layer adds to its tokens), or "loudness" (the length of each token's output alone).
        layers: which blocks, from 0.

    Raises:
        ValueError: on an unknown part, or a block that is not there.

    Source: Meng et al. 2022 (ROME): causal tracing, also known as activation patching.

    Example:
        >>> from unroll import ViT
        >>> model, clean = ViT("softmax", image_size=(8, 8), patch=4, dim=16, heads=2), torch.rand(3, 1, 8, 8)
        >>> with restored(model, clean, "values", layers=(0, 1)):
        ...     logits = model(clean + 0.1 * torch.randn(3, 1, 8, 8))
        >>> logits.shape
        torch.Size([3, 10])
    """
    put = PARTS[validate.choice("part", part, PARTS)]
    if not set(layers) <= set(range(len(model.blocks))):
        raise ValueError(f"layers must lie between 0 and {len(model.blocks) - 1}, got {layers}")
    attentions = [model.blocks[index].attention for index in layers]
    places = [layer.output if part in ("outputs", "loudness") else _projection(layer) for layer in attentions]
    kept: dict[nn.Module, Tensor] = {}
    with _hooked(places, kept.__setitem__), torch.no_grad():
        model(clean)
    width = attentions[0].dim if attentions else 0
    with _hooked(places, lambda place, spoiled: put(kept[place], spoiled, width)):
        yield


@torch.no_grad()
def restored_accuracy(network: Network, data: Split, severity: int = 4, batch: int = 250) -> pd.DataFrame:
    r"""Return accuracy (%) with each part restored in all layers, and with the outputs of each layer alone.

    One row a corruption and part; ``recovered`` is the share of the loss that comes back,

    .. math:: \frac{a_\text{restored} - a_\text{spoiled}}{a_\text{clean} - a_\text{spoiled}}

    and not a number where the corruption costs nothing.

    Args:
        network: a trained network.
        data: clean images and their labels.
        severity: of the corruptions, 1 to 5.
        batch: images at a time.

    Raises:
        ValueError: on a severity that is not 1 to 5.

    Example:
        >>> from unroll.study import Entry, Size, build, load
        >>> digits, entry, size = load("digits"), Entry("vars-d"), Size(8, 1, 2)
        >>> network = Network(build(entry, digits, size), entry, "digits", size, seed=0)
        >>> table = restored_accuracy(network, digits.test.first(8))
        >>> table["restored"].unique().tolist()
        ['queries', 'values', 'outputs', 'loudness', 'outputs of layer 1']
    """
    model, every = network.model.eval(), tuple(range(len(network.model.blocks)))
    trials = {part: (part, every) for part in PARTS}
    trials |= {f"outputs of layer {index + 1}": ("outputs", (index,)) for index in every}

    def judge(images: Tensor, part: str = "outputs", layers: tuple[int, ...] = ()) -> float:
        correct = 0
        for seen, clean, labels in zip(*(s.split(batch) for s in (images, data.images, data.labels)), strict=True):
            with restored(model, clean.to(device), part, layers):
                correct += (model(seen.to(device)).argmax(dim=1).cpu() == labels).sum().item()
        return 100 * correct / len(data)

    device = model.mean.device
    whole, rows = judge(data.images), []
    for name in (name for name in STANDARD if name in corruptions):
        images = corrupt(data, name, severity).images
        low = judge(images)
        for label, (part, layers) in trials.items():
            high = judge(images, part, layers)
            share = (high - low) / (whole - low) if whole > low else float("nan")
            row = {"condition": name, "restored": label, "clean": whole, "spoiled": low}
            rows.append({**row, "accuracy": high, "recovered": share})
    return pd.DataFrame(rows)


def _projection(layer: Attention) -> nn.Linear:
    """Return the linear map that makes a layer's queries (and keys) and, in the last C channels, its values."""
    (projection,) = (child for child in layer.children() if isinstance(child, nn.Linear) and child is not layer.output)
    return projection


@contextmanager
def _hooked(places: list[nn.Module], function: Callable[[nn.Module, Tensor], Tensor | None]) -> Iterator[None]:
    """Let ``function`` see, and replace where it returns something, what these modules return."""
    with ExitStack() as stack:
        for place in places:
            handle = place.register_forward_hook(lambda module, _, result: function(module, result))
            stack.callback(handle.remove)
        yield


def _length(x: Tensor) -> Tensor:
    return x.norm(dim=-1, keepdim=True)
