"""Pictures of who hears whom: one row of an attention map over the image, and how it settles step by step."""

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from unroll.attention import IterativeAttention
from unroll.models import ImageModel
from unroll.solvers import Solution, Solver, Unrolled
from unroll.study.style import theme

STEPS = (1, 2, 5, 20, 100)


def heard_by(model: ImageModel, image: Tensor, patch: int, solver: Solver, layer: int = 0) -> tuple[Tensor, Solution]:
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
        ValueError: when the patch is not on the grid, or the attention is not iterative.

    Example:
        >>> from unroll import ViT
        >>> model = ViT("vars-d", image_size=(8, 8), patch=2, dim=16, depth=1, heads=2)
        >>> row, solution = heard_by(model, torch.rand(1, 8, 8), patch=5, solver=Unrolled(3))
        >>> row.shape, solution.trace.nfe.tolist()
        (torch.Size([4, 4]), [0, 1, 2, 3])
    """
    attention = model.blocks[layer].attention
    if not isinstance(attention, IterativeAttention):
        raise ValueError(f"model must have iterative attention, which a solver runs, got {type(attention).__name__}")
    rows, columns = model.grid
    if not 0 <= patch < rows * columns:
        raise ValueError(f"patch must lie between 0 and {rows * columns - 1}, got {patch}")
    with torch.no_grad():
        x = model.attention_inputs(image[None].to(model.mean.device))[layer]
    attention = attention.with_solver(solver)
    row = attention.attention_map(x, listeners=[patch])[0].mean(0)
    return row.view(rows, columns).cpu(), attention.solve(x)


def draw_heard(axis: Axes, image: Tensor, patch: int | None, row: Tensor | None = None) -> None:
    """Draw an image in grey; or one row of a map in colour, the image's outline over it and the listening patch framed.

    Red raises the patch's output, blue lowers it; colours are scaled to the largest magnitude of this row.

    Args:
        axis: where to draw.
        image: [channels, height, width], from 0 to 1.
        patch: index of the patch that listens, row by row; None frames none.
        row: its row of the map on the grid of patches, [rows, columns]; None draws the image.

    Example:
        >>> _, axis = plt.subplots()
        >>> draw_heard(axis, torch.rand(1, 8, 8), patch=5, row=torch.randn(4, 4))
        >>> len(axis.images)
        1
    """
    height, width = image.shape[-2:]
    grey = image.mean(0).numpy()
    if row is None:
        axis.imshow(grey, cmap="gray_r", vmin=0, vmax=1, extent=(0, width, height, 0))
    else:
        peak = row.abs().max().item()
        axis.imshow(row.numpy(), cmap="RdBu_r", vmin=-peak, vmax=peak, extent=(0, width, height, 0))
        centres = np.arange(width) + 0.5, np.arange(height) + 0.5
        axis.contour(*centres, grey, levels=[0.5], colors="#4d4d4d", linewidths=1.5)
        if patch is not None:
            side = height / row.shape[0]
            y, x = divmod(patch, row.shape[1])
            frame = Rectangle((side * x, side * y), side, side, fill=False, edgecolor="black", linewidth=3)
            axis.add_patch(frame)
    axis.set(xticks=[], yticks=[])
    axis.grid(visible=False)


def settling(model: ImageModel, image: Tensor, patch: int, steps: Sequence[int] = STEPS) -> Figure:
    """Draw what one patch hears in the first layer after more and more solver steps, weights unchanged.

    Args:
        model: a vision transformer whose attention is iterative.
        image: [channels, height, width].
        patch: index of the patch that listens, row by row.
        steps: numbers of solver steps, a picture each.

    Raises:
        ValueError: when the patch is not on the grid, or the attention is not iterative.

    Example:
        >>> from unroll import ViT
        >>> model = ViT("vars-d", image_size=(8, 8), patch=2, dim=16, depth=1, heads=2)
        >>> len(settling(model, torch.rand(1, 8, 8), patch=5, steps=(1, 5)).axes)
        3
    """
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
