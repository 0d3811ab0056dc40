"""What peripheral attention costs, beside the released arithmetic and beside softmax attention, in one run.

    python benchmarks/peripheral.py

writes ``peripheral.csv`` beside this file. One thread; in every round all rivals run in turn.
"""

import statistics
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
import torch
from torch import nn

from unroll.attention import PositionNetwork, create
from unroll.study.files import write_aside
from unroll.study.timing import Shape, forward_backward, paired_seconds

FOLDER = Path(__file__).parent
sys.path.append(str(FOLDER.parent / "tests"))  # where the released arithmetic is written plainly

from direct import DirectAttention, DirectPosition  # noqa: E402

ROUNDS = 15
SHAPES = (Shape(16, 196, 192, 3), Shape(4, 1024, 192, 3))


def network_backward(module: nn.Module, upstream: torch.Tensor) -> Callable[[], None]:
    """Return what runs a module without inputs once forwards and once backwards."""

    def work() -> None:
        module().backward(upstream)
        module.zero_grad()

    return work


def networks(heads: int, side: int = 14) -> pd.DataFrame:
    """Time the position network alone."""
    network = PositionNetwork(heads, (side, side), published=True)
    upstream = torch.randn(heads, side**2, side**2)
    rivals = {"released arithmetic": DirectPosition(network), "ours": network}
    works = {name: network_backward(rival, upstream) for name, rival in rivals.items()}
    return _table(f"position network, {side} x {side}, {heads} heads", works, "ours", ROUNDS)


def layers(shape: Shape) -> pd.DataFrame:
    """Time whole layers, down to their input."""
    side = round(shape.tokens**0.5)
    size = {"dim": shape.dim, "heads": shape.heads, "grid": (side, side)}
    kept = create("peripheral", **size)
    kept.position.requires_grad_(False)
    rivals = {
        "softmax": create("softmax", **size),
        "ours": create("peripheral", **size),
        "ours, position kept": kept,
        "released arithmetic": DirectAttention(create("peripheral", published=True, **size)),
    }
    x = torch.randn(shape.batch, shape.tokens, shape.dim, requires_grad=True)
    upstream = torch.randn_like(x)
    works = {name: forward_backward(layer, x, upstream) for name, layer in rivals.items()}
    return _table(f"layer, {shape}", works, "softmax", ROUNDS)


def _table(what: str, works: Mapping[str, Callable[[], object]], yardstick: str, rounds: int) -> pd.DataFrame:
    seconds = paired_seconds(works, rounds)
    rows = []
    for name, spent in seconds.items():
        ratios = [one / other for one, other in zip(spent, seconds[yardstick], strict=True)]
        rows.append(
            {
                "what": what,
                "who": name,
                "milliseconds": 1e3 * statistics.median(spent),
                "yardstick": yardstick,
                "ratio": statistics.median(ratios),
                "lowest": min(ratios),
                "highest": max(ratios),
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    table = pd.concat([*(networks(heads) for heads in (4, 8)), *(layers(shape) for shape in SHAPES)])
    write_aside(FOLDER / "peripheral.csv", lambda path: table.to_csv(path, index=False, float_format="%.4g"))
    print(table.to_string(index=False, float_format="{:.3g}".format))  # noqa: T201


if __name__ == "__main__":
    main()
