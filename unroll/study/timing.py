"""What an attention costs, as a ratio to softmax attention in the same run."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from tqdm.auto import tqdm

from unroll import validate
from unroll.attention import Attention
from unroll.registry import suggest
from unroll.study.memory import peak_bytes

Work = Callable[[], object]
_PEAK = "(one large product)"


@dataclass(frozen=True)
class Shape:
    """The shape of one measurement: batch, tokens, width, heads."""

    batch: int
    tokens: int
    dim: int
    heads: int

    def __str__(self) -> str:
        return f"{self.batch} x {self.tokens} x {self.dim}, {self.heads} heads"


SHAPES = (Shape(16, 49, 64, 4), Shape(16, 196, 192, 3), Shape(4, 1024, 192, 3), Shape(1, 4096, 192, 3))


def forward_backward(layer: Attention, x: Tensor, upstream: Tensor) -> Work:
    """Return what runs the layer once forwards and once backwards, down to its input."""

    def work() -> None:
        layer(x).backward(upstream)
        x.grad = None
        layer.zero_grad()

    return work


def matmul_flops(work: Work) -> int:
    """Return the floating-point operations of all matrix products in a piece of work."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def peak_flops(device: torch.device | None = None, side: int = 2048) -> Work:
    """Return one large matrix product: its speed is the machine's bound for all others."""
    square = torch.randn(side, side, device=device)
    return lambda: square @ square


def kept_bytes(layer: Attention, x: Tensor) -> int:
    """Return how many bytes a forward pass keeps for the backward pass, each piece of storage once, weights aside."""
    weights = {p.untyped_storage().data_ptr() for p in layer.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        y = layer(x)
    del y
    return sum(kept.values())


def matrix_products(layer: Attention, x: Tensor) -> Work:
    """Return the bare matrix products of a softmax layer's projections, forwards and backwards: a floor for all."""
    tokens = x.detach().flatten(0, 1)
    weights = torch.randn(tokens.shape[1], 4 * layer.dim, dtype=x.dtype, device=x.device)
    outputs = tokens @ weights

    def work() -> None:
        _ = tokens @ weights
        _ = outputs @ weights.T
        _ = tokens.T @ outputs

    return work


def paired_seconds(works: Mapping[str, Work], rounds: int = 9, warmup: int = 2) -> dict[str, list[float]]:
    """Return the seconds of each piece of work in each round; a round runs all of them in turn.

    Machines drift and are shared, so numbers compare within a round, and ratios are medians over rounds.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(warmup + rounds):
        for name, work in works.items():
            _wait()
            began = time.perf_counter()
            work()
            _wait()
            if turn >= warmup:
                seconds[name].append(time.perf_counter() - began)
    return seconds


def cost_table(
    layers: Callable[[Shape], Mapping[str, Attention]],
    *,
    shapes: Sequence[Shape] = SHAPES,
    rounds: int = 9,
    device: torch.device | None = None,
) -> pd.DataFrame:
    """Time forward and backward of each layer and return one row a layer and shape.

    The share of the matmul bound is the time that the layer's matrix products would take at the speed of one large
    product in the same rounds, over the time it took; a fused attention kernel's products are not all counted. What is
    kept is what a forward pass keeps for the backward one; the peak is that of both passes together, weights included.

    Args:
        layers: makes the layers of one shape; one of them must be called "softmax".
        shapes: the shapes to measure.
        rounds: paired runs; the median over them is reported.
        device: the CPU when None.

    Raises:
        ValueError: when no layer is called "softmax", or rounds is not a whole number above zero.
    """
    validate.count("rounds", rounds)
    rows = []
    for shape in tqdm(shapes, desc="shapes", unit="shape"):
        made = layers(shape)
        if "softmax" not in made:
            raise ValueError(f"layers must hold 'softmax', the yardstick: {suggest('softmax', made)}")
        x = torch.randn(shape.batch, shape.tokens, shape.dim, device=device, requires_grad=True)
        upstream = torch.randn_like(x)
        works = {name: forward_backward(layer.to(x.device), x, upstream) for name, layer in made.items()}
        kept = {name: kept_bytes(layer, x) for name, layer in made.items()}
        peaks = {name: peak_bytes(work, x.device) for name, work in works.items()}
        works["(bare projections)"] = matrix_products(made["softmax"], x)
        flops = {name: matmul_flops(work) for name, work in works.items()}
        works[_PEAK], flops[_PEAK] = peak_flops(x.device), 2 * 2048**3
        seconds = paired_seconds(works, rounds)
        bound = flops[_PEAK] / statistics.median(seconds.pop(_PEAK))
        for name, spent in seconds.items():
            ratios = [ours / theirs for ours, theirs in zip(spent, seconds["softmax"], strict=True)]
            rows.append(
                {
                    "shape": str(shape),
                    "tokens": shape.tokens,
                    "layer": name,
                    "ratio to softmax": statistics.median(ratios),
                    "lowest": min(ratios),
                    "highest": max(ratios),
                    "milliseconds": 1e3 * statistics.median(spent),
                    "share of matmul bound": flops[name] / bound / statistics.median(spent),
                    "kept, ratio to softmax": kept[name] / kept["softmax"] if name in kept else None,
                    "peak, ratio to softmax": peaks[name] / peaks["softmax"] if name in peaks else None,
                }
            )
    return pd.DataFrame(rows)


def growth_table(
    layer: Attention,
    tokens: Sequence[int] = (1024, 4096, 16384),
    *,
    rounds: int = 5,
    device: torch.device | None = None,
) -> pd.DataFrame:
    """Return time and memory of one layer, forward and backward, against the number of tokens.

    Columns: tokens, milliseconds, and what a token takes of both in units of what it takes at the smallest number:
    1 throughout for a layer whose cost is linear.
    """
    inputs = [torch.randn(1, count, layer.dim, device=device, requires_grad=True) for count in tokens]
    works = {str(x.shape[1]): forward_backward(layer, x, torch.randn_like(x)) for x in inputs}
    spent = [statistics.median(seconds) for seconds in paired_seconds(works, rounds).values()]
    kept = [kept_bytes(layer, x) for x in inputs]
    return pd.DataFrame(
        {
            "tokens": tokens,
            "milliseconds": [1e3 * seconds for seconds in spent],
            "time a token, relative": _per_token(spent, tokens),
            "kept a token, relative": _per_token(kept, tokens),
        }
    )


def _per_token(amounts: Sequence[float], tokens: Sequence[int]) -> list[float]:
    return [amount / count / (amounts[0] / tokens[0]) for amount, count in zip(amounts, tokens, strict=True)]


def _wait() -> None:
    """Let an accelerator finish, so that the clock tells the truth."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
