"""The dear part of a position network, some queries at a time, with a backward pass that keeps no hidden image."""

from collections.abc import Iterator
from typing import Annotated

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional as F

# Numbers that a block of windows may take up: a CPU's cache holds the first; elsewhere few launches count.
_CACHED, _LAUNCHED = 2**20, 2**26


def peripheral_projection(
    taps: Annotated[Tensor, "Y X T"],
    weights: Annotated[Tensor, "height width T hidden"],
    kernel: Annotated[Tensor, "H hidden k k"],
    scale: Annotated[Tensor, "H"],
    shift: Annotated[Tensor, "H"],
    *,
    eps: float,
) -> Annotated[Tensor, "H N N"]:
    r"""Return :math:`\ln \sigma(\mathrm{norm}(z))`, z as :func:`logits` makes it; the norm is over a query's keys.

    The taps are constants.
    """
    if torch.compiler.is_compiling():  # which fuses the plain form itself
        return plain(taps, weights, kernel, scale, shift, eps=eps)
    return _PeripheralProjection.apply(taps, weights, kernel, scale, shift, eps)


def plain(
    taps: Tensor, weights: Tensor, kernel: Tensor, scale: Tensor, shift: Tensor, *, eps: float
) -> Annotated[Tensor, "H N N"]:
    """Return the same numbers, through autograd."""
    z = logits(taps, weights, kernel)
    z = F.layer_norm(z, z.shape[-1:], eps=eps)
    return F.logsigmoid(z * scale[:, None, None] + shift[:, None, None])


def logits(taps: Tensor, weights: Tensor, kernel: Tensor) -> Annotated[Tensor, "H N N"]:
    r"""Return a convolution of rectified projections of the taps, for each query and all its keys.

    .. math::
        z_{h q j} = \sum_c \sum_\delta \kappa_{h c \delta}\,
            \mathrm{relu}\Bigl(\sum_t \mathrm{taps}_{\bar q + j + \delta,\, t}\, \mathrm{weights}_{\bar q t c}\Bigr)

    The plane of taps holds a window for each place of the grid, k - 1 places higher and wider than the grid:
    Y = 2 height + k - 2, and X likewise. The window of query q begins at the opposite place of the grid.
    """
    height, width, _, _ = weights.shape
    reach = kernel.shape[-1] - 1
    windows = taps.unfold(0, height + reach, 1).unfold(1, width + reach, 1).flatten(0, 1).flatten(2)
    image = F.relu(weights.flatten(0, 1).mT @ windows).unflatten(-1, (height + reach, width + reach))
    return F.conv2d(image, kernel).flatten(2).transpose(0, 1).flip(1)


class _PeripheralProjection(torch.autograd.Function):
    """Makes the hidden image twice rather than keep it, and moves products of it rather than unfold it.

    Queries stand in the order of their windows until the last moment, each beside its heads.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx, taps: Tensor, weights: Tensor, kernel: Tensor, scale: Tensor, shift: Tensor, eps: float
    ) -> Tensor:
        blocks = _Blocks(taps, weights, kernel)
        count = blocks.places
        normed, spread = weights.new_empty(count, len(kernel), count), weights.new_empty(count, len(kernel), 1)
        output = weights.new_empty(len(kernel), count, count)
        for places, image, _ in blocks:
            torch.bmm(blocks.matrix, image, out=blocks.products.flatten(1, 2))
            # Products past the end of a row, or of a window, meet strangers; nobody reads the sums there.
            for near, far in blocks.moved:
                near.add_(far)
            z = blocks.on_grid.flatten(2)
            normed[places], _, spread[places] = torch.native_layer_norm(z, z.shape[-1:], None, None, eps)
            scaled = torch.addcmul(shift[:, None], normed[places], scale[:, None])
            output[:, blocks.queries(places)] = F.logsigmoid(scaled).flip(0).transpose(0, 1)
        ctx.save_for_backward(taps, weights, kernel, scale, shift, normed, spread)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, upstream: Tensor) -> tuple[Tensor | None, ...]:
        taps, weights, kernel, scale, shift, normed, spread = ctx.saved_tensors
        blocks = _Blocks(taps, weights, kernel)
        by_weights = weights.new_empty(weights.shape).flatten(0, 1)
        by_matrix = torch.zeros_like(blocks.matrix, memory_format=torch.contiguous_format)
        by_scale, by_shift = torch.zeros_like(scale), torch.zeros_like(shift)
        blocks.products.zero_()  # what lies beside the grid stays zero
        for places, image, windows in blocks:
            z = normed[places]
            slope = torch.addcmul(shift[:, None], z, scale[:, None]).neg_().sigmoid_()
            slope.mul_(upstream[:, blocks.queries(places)].flip(1).transpose(0, 1))
            mean, along = slope.mean(-1, keepdim=True), (slope * z).mean(-1, keepdim=True)
            by_shift.add_(mean.sum((0, 2)), alpha=blocks.places)
            by_scale.add_(along.sum((0, 2)), alpha=blocks.places)
            slope.sub_(mean).addcmul_(z, along, value=-1).mul_(spread[places] * scale[:, None])
            blocks.on_grid.copy_(slope.view_as(blocks.on_grid))
            for near, far in blocks.moved:
                far.copy_(near)
            products = blocks.products.flatten(1, 2)
            by_matrix.baddbmm_(products, image.mT)
            by_image = torch.bmm(blocks.matrix.mT, products, out=blocks.slopes)
            torch.ops.aten.threshold_backward.grad_input(by_image, image, 0, grad_input=by_image)
            torch.bmm(windows.mT, by_image.mT, out=by_weights[places])
        by_kernel = by_matrix.sum(0).unflatten(0, (*kernel.shape[2:], -1)).permute(2, 3, 0, 1)
        return None, by_weights.view(weights.shape), by_kernel, by_scale, by_shift, None


class _Blocks:
    """Rows of the grid, as many at a time as fit, and memory that all of them share.

    Attributes:
        places: of the grid.
        matrix: the kernel, a row for each of its taps and heads, for every place of a block; [P, k*k*H, hidden].
        products: memory for this matrix times the hidden images, [P, k*k, H, window].
        moved: pairs of views of it: the first tap's products, and those of another that belong to the same places.
        on_grid: a view of the first tap's, for those offsets in a window that lead to keys; [P, H, height, width].
        slopes: memory for gradients of the hidden images, [P, hidden, window].
    """

    def __init__(self, taps: Tensor, weights: Tensor, kernel: Tensor) -> None:
        heads, hidden, side, _ = kernel.shape
        height, width, count, _ = weights.shape
        size = (height + side - 1, width + side - 1)
        window = size[0] * size[1]
        self.places, self.width, self.weights = height * width, width, weights.flatten(0, 1)
        self._views = taps.unfold(0, size[0], 1).unfold(1, size[1], 1).permute(0, 1, 3, 4, 2)
        row = width * window * (count + hidden + heads * side**2)
        budget = _CACHED if taps.device.type == "cpu" else _LAUNCHED
        self._rows = max([n for n in range(1, height + 1) if height % n == 0 and n * row <= budget], default=1)
        block = self._rows * width
        self._windows = taps.new_empty(self._rows, width, *size, count)
        self._image, self.slopes = taps.new_empty(2, block, hidden, window)
        self.products = taps.new_empty(block, side**2, heads, window)
        self.matrix = kernel.permute(2, 3, 0, 1).flatten(0, 2).expand(block, -1, -1)
        first, *others = self.products.unbind(1)
        steps = [y * size[1] + x for y in range(side) for x in range(side)][1:]
        self.moved = [(first[..., :-step], other[..., step:]) for step, other in zip(steps, others, strict=True)]
        self.on_grid = first.unflatten(-1, size)[..., :height, :width]

    def __iter__(self) -> Iterator[tuple[slice, Annotated[Tensor, "P hidden window"], Annotated[Tensor, "P window T"]]]:
        """Yield the places of a block, their hidden images and their windows; the next ones overwrite these."""
        windows = self._windows.flatten(2, 3).flatten(0, 1)
        for start in range(0, len(self._views), self._rows):
            self._windows.copy_(self._views[start : start + self._rows])
            places = slice(start * self.width, (start + self._rows) * self.width)
            yield places, torch.bmm(self.weights[places].mT, windows.mT, out=self._image).relu_(), windows

    def queries(self, places: slice) -> slice:
        """Return whose windows begin at some places, the last one's first."""
        return slice(self.places - places.stop, self.places - places.start)
