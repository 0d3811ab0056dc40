"""What softmax attentions that know where their tokens stand have in common."""

from typing import Annotated

from torch import Tensor, nn
from torch.nn import functional as F

from unroll.attention.base import Attention, Carry, Traits


class PositionalAttention(Attention):
    r"""The base of softmax attentions on a grid: queries and keys, or their logits, may tell of places.

    .. math:: A = \mathrm{softmax}(Q K^\top / \sqrt D + B), \qquad y = A V

    A formulation overrides :meth:`project`, where Q and K learn of places, or :meth:`bias`, which returns B.

    Tokens are the places of the grid row by row, N = height x width, and there are no masks.

    Raises:
        ValueError: on bad settings at construction, or when x has the wrong shape or a mask comes.

    Args:
        dim: model width C.
        heads: number of heads H.
        grid: (height, width) of the tokens.

    Example:
        >>> from unroll.attention import distances
        >>> class Near(PositionalAttention):
        ...     def bias(self):
        ...         return -distances(self.grid).to(torch.float32).expand(self.heads, -1, -1)
        >>> Near(64, 4, grid=(3, 3)).attention_map(torch.randn(2, 9, 64)).shape
        torch.Size([2, 4, 9, 9])
    """

    traits = Traits(needs_grid=True, exact_gradient=True, compilable=True)

    def __init__(self, dim: int, heads: int, *, grid: tuple[int, int]) -> None:
        super().__init__(dim, heads, grid=grid)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.output = nn.Linear(dim, dim)

    def project(
        self, x: Annotated[Tensor, "B N C"], mask: Tensor | None = None
    ) -> tuple[Annotated[Tensor, "B H N D"], Annotated[Tensor, "B H N D"], Annotated[Tensor, "B H N D"]]:
        """Return queries, keys and values."""
        q, k, v = (self.split_heads(part) for part in self.qkv(self.check_input(x, mask)).chunk(3, dim=-1))
        return q, k, v

    def bias(self) -> Annotated[Tensor, "H N N"] | None:
        """Return what is added to the logits of every sample, or None."""
        return None

    def attend(self, x: Tensor, carry: Carry | None = None, mask: Tensor | None = None) -> tuple[Tensor, Carry | None]:
        q, k, v = self.project(x, mask)
        bias = self.bias()
        # The fused kernels want the queries' dtype, which autocast may have lowered, and all four axes.
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=None if bias is None else bias.to(q.dtype).unsqueeze(0))
        return self.output(self.merge_heads(y)), carry

    def attention_map(self, x: Tensor, mask: Tensor | None = None) -> Annotated[Tensor, "B H N N"]:
        q, k, _ = self.project(x, mask)
        logits, bias = q @ k.mT * self.head_dim**-0.5, self.bias()
        return (logits if bias is None else logits + bias).softmax(dim=-1)
