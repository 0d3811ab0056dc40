"""Softmax attention: the yardstick."""

from torch import Tensor, nn
from torch.nn import functional as F

from unroll.attention.base import Attention, Carry, Traits, hide_tokens
from unroll.attention.registry import register


@register("softmax")
class SoftmaxAttention(Attention):
    r"""Multi-head self-attention, through PyTorch's ``scaled_dot_product_attention``.

    .. math:: A = \mathrm{softmax}(Q K^\top / \sqrt D), \qquad y = A V

    Args:
        dim: model width C.
        heads: number of heads H.

    Shapes: [B, N, C] to [B, N, C]; cost grows with the square of N.

    Raises:
        ValueError: when dim is not divisible by heads, or x or the mask has the wrong shape.

    Source: Vaswani et al. 2017, eq. 1.

    Example:
        >>> SoftmaxAttention(64, 4)(torch.randn(2, 49, 64)).shape
        torch.Size([2, 49, 64])
    """

    traits = Traits(permutation_equivariant=True, masks=True, exact_gradient=True, compilable=True)

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__(dim, heads)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.output = nn.Linear(dim, dim)

    def attend(self, x: Tensor, carry: Carry | None = None, mask: Tensor | None = None) -> tuple[Tensor, Carry | None]:
        x = self.check_input(x, mask)
        q, k, v = (self.split_heads(part) for part in self.qkv(x).chunk(3, dim=-1))
        heard = None if mask is None else mask[:, None, None, :]
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=heard)
        return hide_tokens(self.output(self.merge_heads(y)), mask), carry

    def attention_map(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = self.check_input(x, mask)
        q, k, _ = (self.split_heads(part) for part in self.qkv(x).chunk(3, dim=-1))
        logits = q @ k.mT * self.head_dim**-0.5
        if mask is not None:
            logits = logits.masked_fill(~mask[:, None, None, :], float("-inf"))
        return hide_tokens(logits.softmax(dim=-1), mask)
