"""The arithmetic that makes evolving attention dear, with a backward pass of its own: it halves what autograd takes."""

from typing import Annotated

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional as F

_INSIDE = torch.channels_last  # in which a convolution of few channels over a large map is fastest on a CPU
_OUTSIDE = torch.contiguous_format  # in which softmax and matrix products are


def residual_convolution(
    mixed: Annotated[Tensor, "B H N N"],
    weight: Annotated[Tensor, "H H 3 3"],
    bias: Annotated[Tensor, "H"],
    skip: Tensor,
    *,
    slope: float,
    causal: bool,
) -> Annotated[Tensor, "B H N N"]:
    r"""Return :math:`\mathrm{act}(\mathrm{conv}(M) + b) + s M`, act being a leaky ReLU of this slope.

    With ``causal`` row i is made of the rows i - 2 to i, else of i - 1 to i + 1.

    Shapes: M [B, H, N, N], the weight of the convolution [H, H, 3, 3], its bias b [H], and s, ``skip``, one number, [].

    Example:
        >>> maps, weight, skip = torch.randn(2, 4, 9, 9), torch.zeros(4, 4, 3, 3), torch.tensor(0.5)
        >>> evolved = residual_convolution(maps, weight, torch.zeros(4), skip, slope=0.2, causal=False)
        >>> torch.equal(evolved, 0.5 * maps)
        True
    """
    if torch.compiler.is_compiling():  # which fuses the plain form itself
        return plain(mixed, weight, bias, skip, slope=slope, causal=causal)
    return _ResidualConvolution.apply(mixed, weight, bias, skip, slope, 2 if causal else 1)


def plain(
    mixed: Tensor, weight: Tensor, bias: Tensor, skip: Tensor, *, slope: float, causal: bool
) -> Annotated[Tensor, "B H N N"]:
    """Return the same numbers, through autograd."""
    change = F.conv2d(mixed, weight, bias, padding=(2 if causal else 1, 1))[:, :, : mixed.shape[2]]
    return F.leaky_relu(change, slope) + skip * mixed


class _ResidualConvolution(torch.autograd.Function):
    """Writes sums straight into their place, keeps one map beside M, and takes the gradient by M as a convolution."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, mixed: Tensor, weight: Tensor, bias: Tensor, skip: Tensor, slope: float, above: int
    ) -> Tensor:
        mixed, evolved = mixed.contiguous(memory_format=_INSIDE), torch.empty_like(mixed, memory_format=_OUTSIDE)
        change = F.conv2d(mixed, weight, bias, padding=(above, 1))[:, :, : mixed.shape[2]]
        change = F.leaky_relu_(change, slope)
        ctx.save_for_backward(mixed, change, weight, skip)
        ctx.slope, ctx.above = slope, above
        return torch.addcmul(change, mixed, skip, out=evolved)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, upstream: Tensor) -> tuple[Tensor | None, ...]:
        mixed, change, weight, skip = ctx.saved_tensors
        by_mixed = by_weight = by_bias = by_skip = None
        # The padding above and below is the same, so that the convolution made rows which the forward pass cut off.
        samples, heads, rows, columns = mixed.shape
        shape = (samples, heads, rows + 2 * (ctx.above - 1), columns)
        inner = torch.empty(shape, dtype=upstream.dtype, device=upstream.device, memory_format=_INSIDE)
        inner[:, :, rows:] = 0
        # Copied first: where layouts differ, a copy is many times as fast as any other operation.
        kept = inner[:, :, :rows].copy_(upstream)
        torch.ops.aten.leaky_relu_backward.grad_input(kept, change, ctx.slope, True, grad_input=kept)
        if ctx.needs_input_grad[0]:
            turned = weight.flip(2, 3).transpose(0, 1).contiguous()
            through = F.conv2d(inner, turned, padding=(2 - ctx.above, 1))
            by_mixed = torch.addcmul(through, upstream, skip, out=torch.empty_like(upstream, memory_format=_OUTSIDE))
        if ctx.needs_input_grad[1]:
            sides = ([1, 1], [ctx.above, 1], [1, 1], False, [0, 0], 1)
            by_weight = torch.ops.aten.convolution_backward(inner, mixed, weight, None, *sides, [False, True, False])[1]
        if ctx.needs_input_grad[2]:
            by_bias = inner.sum((0, 2, 3))
        if ctx.needs_input_grad[3]:
            by_skip = (upstream * mixed).sum()
        return by_mixed, by_weight, by_bias, by_skip, None, None
