"""The dear part of a position network, some windows at a time, with a backward pass that keeps no hidden image."""

from collections.abc import Iterator
from typing import Annotated

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional as F

# Numbers that a block of windows may take up: a CPU's cache holds the first; elsewhere few launches count.
_CACHED, _LAUNCHED = 2**19, 2**26


def windowed_projection(
    taps: Annotated[Tensor, "Y X T"],
    weights: Annotated[Tensor, "height width T hidden"],
    kernel: Annotated[Tensor, "H hidden k k"],
) -> Annotated[Tensor, "H N N"]:
    r"""Return a convolution of rectified projections, for each of the windows that a plane holds.

    .. math::
        z_{h s j} = \sum_c \sum_\delta \kappa_{h c \delta}\,
            \mathrm{relu}\Bigl(\sum_t \mathrm{taps}_{s + j + \delta,\, t}\, \mathrm{weights}_{s t c}\Bigr)

    A window is k - 1 places higher and wider than the grid; s is where it begins in the plane, which holds one for each
    place of the grid: Y = 2 height + k - 2, and X likewise. The taps are constants.
    """
    if torch.compiler.is_compiling():  # which fuses the plain form itself
        return plain(taps, weights, kernel)
    return _WindowedProjection.apply(taps, weights, kernel)


def plain(taps: Tensor, weights: Tensor, kernel: Tensor) -> Annotated[Tensor, "H N N"]:
    """Return the same numbers, through autograd."""
    height, width, _, _ = weights.shape
    reach = kernel.shape[-1] - 1
    windows = taps.unfold(0, height + reach, 1).unfold(1, width + reach, 1).flatten(0, 1).flatten(2)
    image = F.relu(weights.flatten(0, 1).mT @ windows).unflatten(-1, (height + reach, width + reach))
    return F.conv2d(image, kernel).flatten(2).transpose(0, 1)


class _WindowedProjection(torch.autograd.Function):
    """Makes the hidden image twice rather than keep it, and moves products of it rather than unfold it."""

    @staticmethod
    def forward(ctx: FunctionCtx, taps: Tensor, weights: Tensor, kernel: Tensor) -> Tensor:
        ctx.save_for_backward(taps, weights, kernel)
        heads, _, side, _ = kernel.shape
        height, width, _, _ = weights.shape
        matrix, moves = _matrix(kernel), _moves(side, width)
        z = weights.new_empty(heads, height, width, height, width)
        products = image = None
        for rows, windows in _blocks(taps, weights, kernel):
            image = _image(windows, weights[rows], image)
            products = _product(matrix, image.mT, products)
            first, *others = products.unflatten(0, (-1, heads))
            # Products past the end of a row, or of a window, meet strangers; nobody reads the sums there.
            for move, other in zip(moves, others, strict=True):
                first[:, :-move] += other[:, move:]
            z[:, rows] = _on_grid(first, width, windows, side)
        return z.view(heads, height * width, -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, upstream: Tensor) -> tuple[Tensor | None, ...]:
        taps, weights, kernel = ctx.saved_tensors
        heads, hidden, side, _ = kernel.shape
        height, width, _, _ = weights.shape
        matrix, moves = _matrix(kernel), _moves(side, width)
        upstream = upstream.reshape(heads, height, width, height, width)
        by_weights, by_matrix = weights.new_empty(weights.shape), torch.zeros_like(matrix)
        products = image = by_image = None
        for rows, windows in _blocks(taps, weights, kernel):
            image = _image(windows, weights[rows], image)
            if products is None:  # zeros beside the grid stay zeros
                products = image.new_zeros(len(matrix), len(image))
            first, *others = products.unflatten(0, (-1, heads))
            _on_grid(first, width, windows, side).copy_(upstream[:, rows])
            for move, other in zip(moves, others, strict=True):
                other[:, move:] = first[:, :-move]
            by_matrix.addmm_(products, image)
            by_image = _product(products.mT, matrix, by_image)
            torch.ops.aten.threshold_backward.grad_input(by_image, image, 0, grad_input=by_image)
            by_block = by_image.view(len(windows), -1, hidden)
            torch.bmm(windows.mT, by_block, out=by_weights[rows].flatten(0, 1))
        return None, by_weights, by_matrix.unflatten(0, (side, side, heads)).permute(2, 3, 0, 1)


def _blocks(taps: Tensor, weights: Tensor, kernel: Tensor) -> Iterator[tuple[slice, Annotated[Tensor, "P window T"]]]:
    """Yield rows of the grid, as many as fit, and the windows of their P places; the next ones overwrite them."""
    heads, hidden, side, _ = kernel.shape
    height, width, count, _ = weights.shape
    views = taps.unfold(0, height + side - 1, 1).unfold(1, width + side - 1, 1).permute(0, 1, 3, 4, 2)
    row = views[0].numel() // count * (count + hidden + heads * side**2)
    budget = _CACHED if taps.device.type == "cpu" else _LAUNCHED
    step = max([rows for rows in range(1, height + 1) if height % rows == 0 and rows * row <= budget], default=1)
    windows = torch.empty(views[:step].shape, dtype=taps.dtype, device=taps.device)
    for start in range(0, height, step):
        rows = slice(start, start + step)
        yield rows, windows.copy_(views[rows]).flatten(2, 3).flatten(0, 1)


def _image(windows: Tensor, weights: Tensor, out: Tensor | None) -> Annotated[Tensor, "P*window hidden"]:
    """Return the rectified projections of some windows, in the memory of the last ones."""
    shape = (len(windows), windows.shape[1], weights.shape[-1])
    out = windows.new_empty(shape) if out is None else out.view(shape)
    return torch.bmm(windows, weights.flatten(0, 1), out=out).relu_().flatten(0, 1)


def _product(left: Tensor, right: Tensor, out: Tensor | None) -> Tensor:
    """Return a matrix product, in the memory of the last one."""
    return left @ right if out is None else torch.mm(left, right, out=out)


def _matrix(kernel: Annotated[Tensor, "H hidden k k"]) -> Annotated[Tensor, "k*k*H hidden"]:
    return kernel.permute(2, 3, 0, 1).flatten(0, 2)


def _moves(side: int, width: int) -> list[int]:
    """Return how far behind the first tap's place each further one's lies in a flat window."""
    return [y * (width + side - 1) + x for y in range(side) for x in range(side)][1:]


def _on_grid(image: Tensor, width: int, windows: Tensor, side: int) -> Annotated[Tensor, "H rows width height width"]:
    """Return the part of each window that is as large as the grid."""
    span = width + side - 1
    image = image.view(len(image), -1, width, windows.shape[1] // span, span)
    return image[..., : image.shape[3] - side + 1, :width]
