"""The one transformer block of the library: an attention and an Mlp, each behind a norm and around a residual."""

from torch import Tensor, nn

from unroll.attention import Attention, Carry
from unroll.models.mlp import Mlp


class Block(nn.Module):
    r"""A pre-norm transformer block around any attention.

    .. math:: u = x + \mathrm{attend}(\mathrm{LN}(x)), \qquad y = u + \mathrm{Mlp}(\mathrm{LN}(u))

    Args:
        attention: the layer that mixes tokens; it sets the width.
        mlp_ratio: hidden width of the Mlp as a multiple of the model width.
        before: what tokens pass on their way to the first norm, such as an encoding of their positions.
        out: width of the output; where it is another, a linear map of u takes the place of u in y.
        eps: of the norms.

    Shapes: [B, N, C] to [B, N, out], and the carry from layer to layer.

    Source: Xiong et al. 2020 (pre-norm); Dosovitskiy et al. 2021, eq. 2 and 3.

    Example:
        >>> from unroll.attention import create
        >>> y, carry = Block(create("softmax", dim=64, heads=4))(torch.randn(2, 49, 64))
        >>> y.shape
        torch.Size([2, 49, 64])
    """

    def __init__(
        self,
        attention: Attention,
        *,
        mlp_ratio: float = 2.0,
        before: nn.Module | None = None,
        out: int | None = None,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        width = attention.dim
        norm = nn.LayerNorm(width, eps=eps)
        self.norm1 = norm if before is None else nn.Sequential(before, norm)
        self.attention = attention
        self.norm2 = nn.LayerNorm(width, eps=eps)
        self.mlp = Mlp(width, round(mlp_ratio * width), out)
        self.residual = nn.Identity() if out in (None, width) else nn.Linear(width, out)

    def forward(self, x: Tensor, carry: Carry | None = None, mask: Tensor | None = None) -> tuple[Tensor, Carry | None]:
        heard, carry = self.attention.attend(self.norm1(x), carry, mask)
        x = x + heard
        return self.residual(x) + self.mlp(self.norm2(x)), carry

    def attention_maps(self, x: Tensor, carry: Carry | None = None, mask: Tensor | None = None) -> list[Tensor]:
        """Return the map of the block's attention, [B, H, N, N], given what ``forward`` is given."""
        return [self.attention.map_after(self.norm1(x), carry, mask)]
