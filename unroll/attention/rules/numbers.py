"""Rules about the numbers of a layer: what they depend on, and what they must not depend on."""

import copy
import warnings

import torch
from torch import Tensor

from unroll.attention.base import Attention
from unroll.attention.rules.base import rules, unrolled
from unroll.verdicts import gap


@rules.rule(
    "dtype", "make new tensors follow x: x.new_zeros, zeros_like, buffers; promote inside where bfloat16 is not enough"
)
def dtype(layer: Attention, x: Tensor) -> float:
    wrong = 0
    for kind in (torch.float64, torch.float32, torch.bfloat16):
        y = copy.deepcopy(unrolled(layer)).to(kind)(x.to(kind))
        wrong += y.dtype != kind or not torch.isfinite(y).all()
    return float(wrong)


@rules.rule("device moves", "register tensors as buffers; make new ones where x is: x.new_zeros, zeros_like")
def device_moves(layer: Attention, x: Tensor) -> float:
    """Move a copy to the meta device, which has shapes only: a tensor that stayed behind meets strangers there."""
    moved, on_meta = copy.deepcopy(unrolled(layer)).to("meta"), x.to("meta")
    pairs = [(moved(on_meta), layer(x)), (moved.attention_map(on_meta), layer.attention_map(x))]
    return float(sum(not one.is_meta or one.shape != other.shape for one, other in pairs))


@rules.rule("determinism", "draw random numbers in the constructor and keep them in a buffer")
def determinism(layer: Attention, x: Tensor) -> float:
    return gap(layer(x), layer(x))


@rules.rule("batch independence", "reduce over tokens and channels, never over dimension 0", tolerance=1e-10)
def batch_independence(layer: Attention, x: Tensor) -> float:
    return gap(layer(x), torch.cat([layer(sample) for sample in x.split(1)]))


@rules.rule("NaN stays in its sample", "keep samples apart in every solve, norm and maximum", tolerance=1e-10)
def nan_isolation(layer: Attention, x: Tensor) -> float:
    spoiled = x.clone()
    spoiled[0, 0] = float("nan")
    return gap(layer(spoiled)[1:], layer(x)[1:])


@rules.rule("permutation equivariance", "use no positions, or declare permutation_equivariant=False", tolerance=1e-9)
def permutation_equivariance(layer: Attention, x: Tensor) -> float | str:
    if not layer.traits.permutation_equivariant:
        return "permutation_equivariant is not declared"
    order = torch.arange(x.shape[1], device=x.device).flip(0).roll(1)
    return gap(layer(x[:, order]), layer(x)[:, order])


@rules.rule(
    "mask equals the shorter sequence",
    "drop masked tokens from keys, normalisation, dictionary and output (attention.hide_tokens)",
    tolerance=1e-9,
)
def mask_is_shorter(layer: Attention, x: Tensor) -> float | str:
    if not layer.traits.masks:
        return "masks is not declared"
    tokens = x.shape[1]
    mask = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
    mask[1, tokens - 2 :] = False
    mask[2, [0, tokens // 2]] = False
    spoiled = x.masked_fill(~mask[:, :, None], float("nan"))
    masked, maps = layer(spoiled, mask), layer.attention_map(spoiled, mask)
    worst = [masked[~mask].abs().max().item(), maps.masked_fill(mask[:, None, None, :], 0).abs().max().item()]
    for sample, kept in enumerate(mask):
        short = x[sample : sample + 1, kept]
        worst.append(gap(masked[sample, kept], layer(short)[0]))
        worst.append(gap(maps[sample][:, kept][:, :, kept], layer.attention_map(short)[0]))
    return max(float("inf") if number != number else number for number in worst)  # NaN is no small number


@rules.rule(
    "a sample of padding is silent", "bound every norm and sum from below before you divide by it", tolerance=1e-9
)
def padding_is_silent(layer: Attention, x: Tensor) -> float | str:
    if not layer.traits.masks:
        return "masks is not declared"
    mask = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
    mask[0] = False
    y = layer(x, mask)
    return max(gap(y[0], torch.zeros_like(y[0])), gap(y[1:], layer(x[1:])))


@rules.rule(
    "compiles",
    "keep values out of Python (item(), if), or declare compilable=False",
    tolerance=1e-9,
)
def compiles(layer: Attention, x: Tensor) -> float | str:
    """Trace the layer as one graph and run that graph; what an optimising backend does to it is not looked at."""
    if not layer.traits.compilable:
        return "compilable is not declared"
    torch.compiler.reset()  # all layers share one forward, and its graphs are counted
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the compiler's own
            return gap(torch.compile(layer, fullgraph=True, backend="eager")(x), layer(x))
    finally:
        torch.compiler.reset()


@rules.rule("state dict", "register what decides the output as a parameter or a persistent buffer")
def state_dict(layer: Attention, x: Tensor) -> float:
    other = copy.deepcopy(layer)
    with torch.no_grad():
        for tensor in [*other.parameters(), *other.buffers()]:
            if tensor.is_floating_point():
                tensor.add_(1)
    other.load_state_dict(layer.state_dict())
    return gap(layer(x), other(x))
