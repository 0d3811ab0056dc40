"""All plain steps of an l1 problem in one differentiable operation, with a backward pass written by hand."""

from typing import Annotated

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from unroll.problems.prox import soft_threshold


def unrolled_ista(
    transition: Annotated[Tensor, "B ... M M"],
    drive: Annotated[Tensor, "B ... M D"],
    threshold: Annotated[Tensor, "B ... 1 1"],
    steps: int,
    start: Annotated[Tensor, "B ... M D"] | None = None,
) -> Annotated[Tensor, "B ... M D"]:
    r"""Return :math:`z_S` of :math:`z_{k+1} = \mathrm{soft}_t(T z_k + d)`.

    The numbers are those of the plain loop, and so are the gradients:

    .. math::
        \gamma_k = \bar z_{k+1} \odot [z_{k+1} \ne 0], \quad \bar z_k = T^\top \gamma_k, \quad
        \bar T = \sum_k \gamma_k z_k^\top, \quad \bar d = \sum_k \gamma_k, \quad
        \bar t = -\sum_k \gamma_k \odot \mathrm{sign}(z_{k+1})

    Only the codes are kept for the way back: where a code is zero, so is its derivative. A start at zero spares the
    first product. A second derivative goes through the plain loop.

    Args:
        transition: T = I - G / L.
        drive: d = c / L.
        threshold: t = lambda / L, broadcast with the code.
        steps: S >= 1.
        start: z_0; zero when None.

    Source: Gregor and LeCun 2010, eq. 4 (the loop); its reverse by the chain rule.
    """
    return _Unrolled.apply(transition, drive, threshold, start, steps)


class _Unrolled(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx, transition: Tensor, drive: Tensor, threshold: Tensor, start: Tensor | None, steps: int
    ) -> Tensor:
        codes = _codes(transition, drive, threshold, start, steps)
        ctx.save_for_backward(transition, drive, threshold, start, *codes)
        return codes[-1]

    @staticmethod
    def backward(ctx: FunctionCtx, upstream: Tensor) -> tuple[Tensor | None, ...]:
        transition, drive, threshold, start, *codes = ctx.saved_tensors
        if torch.is_grad_enabled():
            inputs = (transition, drive, threshold, start)
            asking = [tensor for tensor in inputs if tensor is not None and tensor.requires_grad]
            last = _codes(*inputs, len(codes))[-1]
            slopes = dict(
                zip(map(id, asking), torch.autograd.grad(last, asking, upstream, create_graph=True), strict=True)
            )
            return *(slopes.get(id(tensor)) for tensor in inputs), None
        back = transition.flatten(0, -3).mT
        # Not zeros_like, which would take over the transposed strides: a product into those has no batched kernel.
        by_transition = transition.new_zeros(back.shape)
        by_drive, by_threshold = torch.zeros_like(drive), torch.zeros_like(threshold)
        for following, code in zip(reversed(codes), reversed([start, *codes[:-1]]), strict=True):
            passed = torch.where(following != 0, upstream, 0)
            by_drive += passed
            by_threshold -= (passed * following.sign()).sum_to_size(threshold.shape)
            if code is not None:
                flat = passed.flatten(0, -3)
                by_transition.baddbmm_(flat, code.flatten(0, -3).mT)
                upstream = torch.bmm(back, flat).view_as(drive)
        by_start = None if start is None else upstream
        return by_transition.view_as(transition), by_drive, by_threshold, by_start, None


def _codes(transition: Tensor, drive: Tensor, threshold: Tensor, start: Tensor | None, steps: int) -> list[Tensor]:
    """Return z_1 to z_S by the plain loop."""
    matrix, offset = transition.flatten(0, -3), drive.flatten(0, -3)
    codes = []
    for k in range(steps):
        code = codes[-1] if k else start
        moved = drive if code is None else torch.baddbmm(offset, matrix, code.flatten(0, -3)).view_as(drive)
        codes.append(soft_threshold(moved, threshold))
    return codes
