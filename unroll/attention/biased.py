"""Softmax attention whose logits have a learned bias that all samples share, with a backward pass of its own."""

from collections.abc import Iterator
from typing import Annotated

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional as F

# Numbers of a map that are formed at once: a CPU's cache holds the first; elsewhere few launches count.
_CACHED, _LAUNCHED = 2**18, 2**26


def biased_attention(
    q: Annotated[Tensor, "B H N D"],
    k: Annotated[Tensor, "B H N D"],
    v: Annotated[Tensor, "B H N D"],
    bias: Annotated[Tensor, "H N N"],
) -> Annotated[Tensor, "B H N D"]:
    r"""Return :math:`\mathrm{softmax}(Q K^\top / \sqrt D + b)\, V`.

    ``scaled_dot_product_attention`` is fast while the bias is a constant. For one that learns it would form the maps of
    all samples, several times, and a gradient as large before it sums over them.
    """
    if torch.is_grad_enabled() and bias.requires_grad and not torch.compiler.is_compiling():
        return _BiasedAttention.apply(q, k, v, bias)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias[None].to(q.dtype))


class _BiasedAttention(torch.autograd.Function):
    """Keeps its arguments and its output; the backward pass makes the weights anew, some rows at a time."""

    @staticmethod
    def forward(ctx: FunctionCtx, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        # Detached, since fused kernels refuse a bias that asks for a gradient even where none is taken.
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.detach()[None].to(q.dtype))
        ctx.save_for_backward(q, k, v, bias, y)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, upstream: Tensor) -> tuple[Tensor, ...]:
        q, k, v, bias, y = ctx.saved_tensors
        samples, heads, tokens, width = q.shape
        scale = width**-0.5
        inward = (upstream * y).sum(-1, keepdim=True)
        by_q, by_k, by_v = (part.new_zeros(part.shape) for part in (q, k, v))
        by_bias = torch.zeros_like(bias)
        for group, rows in _blocks(samples, heads, tokens, q.device):
            query, sent = q[group, :, rows].flatten(0, 1), upstream[group, :, rows].flatten(0, 1)
            key, value = k[group].flatten(0, 1), v[group].flatten(0, 1)
            count = len(query) // heads
            given = bias[:, rows].to(q.dtype).repeat(count, 1, 1)
            weights = given.baddbmm_(query, key.mT, alpha=scale).softmax(dim=-1)
            slopes = torch.bmm(sent, value.mT).sub_(inward[group, :, rows].flatten(0, 1)).mul_(weights)
            by_bias[:, rows] += slopes.unflatten(0, (count, heads)).sum(0)
            by_q[group, :, rows] = torch.bmm(slopes, key).mul_(scale).unflatten(0, (count, heads))
            by_k[group].flatten(0, 1).baddbmm_(slopes.mT, query, alpha=scale)
            by_v[group].flatten(0, 1).baddbmm_(weights.mT, sent)
        return by_q, by_k, by_v, by_bias


def _blocks(samples: int, heads: int, tokens: int, device: torch.device) -> Iterator[tuple[slice, slice]]:
    """Yield which samples and which of their queries are taken together."""
    budget = _CACHED if device.type == "cpu" else _LAUNCHED
    rows = min(max(budget // (heads * tokens), 1), tokens)
    group = max(budget // (heads * tokens * rows), 1)
    for first in range(0, samples, group):
        for start in range(0, tokens, rows):
            yield slice(first, first + group), slice(start, start + rows)
