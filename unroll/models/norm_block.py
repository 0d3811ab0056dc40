"""The transformer block of time series: batch norm, behind the residual."""

from typing import Annotated

from torch import Tensor, nn

from unroll.attention import Attention, Carry
from unroll.models.mlp import Mlp
from unroll.models.token_norm import TokenNorm


class NormBlock(nn.Module):
    r"""A post-norm transformer block with batch norm around any attention.

    .. math:: u = \mathrm{BN}(x + \mathrm{attend}(x)), \qquad y = \mathrm{BN}(u + \mathrm{Mlp}(u))

    Args:
        attention: the layer that mixes tokens; it sets the width.
        hidden: width between the two maps of the Mlp.
        dropout: share of what each half adds that is dropped in training, and of what the Mlp holds inside.

    Shapes: [B, N, C] to [B, N, C], and the carry from layer to layer.

    Source: Zerveas et al. 2021 (a transformer-based framework for multivariate time series).

    Example:
        >>> from unroll.attention import create
        >>> y, carry = NormBlock(create("softmax", dim=64, heads=8), hidden=256)(torch.randn(2, 29, 64))
        >>> y.shape
        torch.Size([2, 29, 64])
    """

    def __init__(self, attention: Attention, *, hidden: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.attention = attention
        self.norm1 = TokenNorm(attention.dim)
        self.mlp = Mlp(attention.dim, hidden, dropout=dropout)
        self.norm2 = TokenNorm(attention.dim)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Annotated[Tensor, "B N C"], carry: Carry | None = None, mask: Annotated[Tensor, "B N"] | None = None
    ) -> tuple[Tensor, Carry | None]:
        heard, carry = self.attention.attend(x, carry, mask)
        x = self.norm1(x + self.dropout(heard), mask)
        return self.norm2(x + self.dropout(self.mlp(x)), mask), carry

    def attention_maps(
        self, x: Annotated[Tensor, "B N C"], carry: Carry | None = None, mask: Annotated[Tensor, "B N"] | None = None
    ) -> list[Annotated[Tensor, "B H N N"]]:
        """Return the map of the block's attention, given what ``forward`` is given."""
        return [self.attention.map_after(x, carry, mask)]
