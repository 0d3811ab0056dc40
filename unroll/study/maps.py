"""Pictures of who hears whom: one row of an attention map over the image, and how it settles step by step."""

from collections.abc import Sequence

import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from unroll.models import ViT
from unroll.solvers import Solution, Solver, Unrolled
from unroll.study.style import theme

STEPS = (1, 2, 5, 20, 100)


def heard_by(model: ViT, image: Tensor, patch: int, solver: Solver, layer: int = 0) -> tuple[Tensor, Solution]:
    """Return what one patch hears in an iterative layer of a trained model when ``solver`` runs it.

    Args:
        model: a vision transformer whose attention is iterative.
        image: [channels, height, width].
        patch: index of the patch, row by row.
        solver: what solves the layer's problem, in the place of the solver that it was trained with.
        layer: which block.

    Returns:
        The row of the attention map, heads averaged, on the grid of patches, [rows, columns]; and the solution.

    Raises:
        ValueError: when the patch is not on the grid.
    """
    rows, columns = model.grid
    if not 0 <= patch < rows * columns:
        raise ValueError(f"patch must lie between 0 and {rows * columns - 1}, got {patch}")
    with torch.no_grad():
        x = model.attention_inputs(image[None].to(model.positions.device))[layer]
    attention = model.blocks[layer].attention.with_solver(solver)
    return attention.attention_map(x)[0, :, patch].mean(0).view(rows, columns).cpu(), attention.solve(x)


def draw_heard(axis: Axes, image: Tensor, patch: int, row: Tensor | None = None) -> None:
    """Draw an image in grey, over it one row of a map (red raises, blue lowers), and the patch that listens in a frame.

    Colours are scaled to the largest magnitude of this row.
    """
    height, width = image.shape[-2:]
    extent = (0, width, height, 0)
    axis.imshow(1 - image.mean(0), cmap="gray", vmin=0, vmax=1, extent=extent)
    if row is not None:
        peak = row.abs().max().item()
        axis.imshow(row, cmap="RdBu_r", vmin=-peak, vmax=peak, alpha=0.65, extent=extent)
        side = height / row.shape[0]
        y, x = divmod(patch, row.shape[1])
        frame = Rectangle((side * x, side * y), side, side, fill=False, edgecolor="black", linewidth=2.5)
        axis.add_patch(frame)
    axis.set(xticks=[], yticks=[])
    axis.grid(visible=False)


def settling(model: ViT, image: Tensor, patch: int, steps: Sequence[int] = STEPS) -> Figure:
    """Draw what one patch hears in the first layer after more and more solver steps, weights unchanged."""
    with theme():
        figure, axes = plt.subplots(1, len(steps) + 1, figsize=(2.3 * (len(steps) + 1), 2.9))
        draw_heard(axes[0], image, patch)
        axes[0].set_title("image")
        for axis, count in zip(axes[1:], steps, strict=True):
            row, solution = heard_by(model, image, patch, Unrolled(count))
            draw_heard(axis, image, patch, row)
            axis.set_title(f"{count} step{'s' * (count > 1)}")
            axis.set_xlabel(f"residual {solution.trace.residual[-1].item():.2g}")
    return figure
