"""Any attention of this library behind the calling convention of ``nn.MultiheadAttention``."""

from typing import Annotated, ClassVar, NoReturn

import torch
from torch import Tensor, nn

from unroll import validate
from unroll.attention import Attention


class _Unfusable:
    """Stands where torch's encoder looks for weights to fuse: what overrides torch functions sends it the slow way."""

    weight = bias = property(lambda self: self)

    @classmethod
    def __torch_function__(cls, function: object, *_: object) -> NoReturn:
        raise TypeError(f"{function} was called on the weights of an attention that cannot be fused")


class MultiheadAttention(nn.Module):
    r"""Self-attention that is called as ``nn.MultiheadAttention`` is, inside ``nn.TransformerEncoderLayer`` too.

    .. math:: y = \mathrm{attention}(x), \qquad \mathrm{query} = \mathrm{key} = \mathrm{value} = x

    What cannot be honoured raises. Outputs of padding are zero, where torch's are those of a token that nobody hears.
    Weights are the attention's map: it costs extra, and for iterative layers carries no gradient.

    Args:
        attention: the layer that mixes the tokens.
        batch_first: tokens are [B, N, C]; when False [N, B, C], as torch's default.

    Shapes: query [B, N, C], [N, B, C] or, unbatched, [N, C], to the same; key_padding_mask [B, N] or [N], True or -inf
        for padding; weights [B, N, N], or [B, H, N, N] with ``average_attn_weights=False``.

    Raises:
        ValueError: when attention is none; at the call on cross-attention, attn_mask, is_causal, nested tensors, a
            float mask that holds anything but 0 and -inf, or shapes that do not fit.

    Example:
        >>> from unroll.attention import create
        >>> encoder = nn.TransformerEncoderLayer(64, 4, batch_first=True)
        >>> encoder.self_attn = MultiheadAttention(create("vars-d", dim=64, heads=4), batch_first=True)
        >>> encoder(torch.randn(2, 49, 64)).shape
        torch.Size([2, 49, 64])
    """

    # The encoder's fused path computes softmax attention itself, from these: it must find that it cannot.
    _qkv_same_embed_dim: ClassVar[bool] = False
    in_proj_bias: ClassVar[None] = None
    in_proj_weight: ClassVar[_Unfusable] = _Unfusable()
    out_proj: ClassVar[_Unfusable] = _Unfusable()

    def __init__(self, attention: Attention, *, batch_first: bool = False) -> None:
        super().__init__()
        if not isinstance(attention, Attention):
            raise ValueError(f"attention must be an Attention such as create('vars-d', ...) makes, got {attention!r}")
        self.attention, self.batch_first = attention, batch_first
        self.embed_dim, self.num_heads, self.head_dim = attention.dim, attention.heads, attention.head_dim

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Annotated[Tensor, "B N"] | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the mixed tokens and, when needed, the weights."""
        if key is not query or value is not query:
            raise ValueError("query, key and value must be one tensor: this is self-attention, got different ones")
        reason = "a token hears all real tokens, and padding goes into key_padding_mask"
        validate.absent("attn_mask", attn_mask, reason)
        validate.absent("is_causal", is_causal, reason)
        if query.is_nested:
            raise ValueError(
                "query must be a padded tensor beside key_padding_mask, got a nested one: set "
                "nn.TransformerEncoder(enable_nested_tensor=False)"
            )
        batched = query.ndim == 3
        x = self._turn(query) if batched else query.unsqueeze(0)
        validate.shape("query", x, ("batch", "tokens", self.embed_dim))
        padding = key_padding_mask if batched or key_padding_mask is None else key_padding_mask.unsqueeze(0)
        mask = None if padding is None else _real(padding, x)
        y = self.attention(x, mask)
        weights = self.attention.attention_map(x, mask) if need_weights else None
        if weights is not None and average_attn_weights:
            weights = weights.mean(dim=1)
        if batched:
            return self._turn(y), weights
        return y.squeeze(0), None if weights is None else weights.squeeze(0)

    def _turn(self, x: Tensor) -> Tensor:
        return x if self.batch_first else x.transpose(0, 1)

    def extra_repr(self) -> str:
        return f"batch_first={self.batch_first}"


def _real(padding: Tensor, x: Annotated[Tensor, "B N C"]) -> Annotated[Tensor, "B N"]:
    """Return True for real tokens, from a mask that is True or -inf for padding."""
    validate.shape("key_padding_mask", padding, tuple(x.shape[:2]))
    if padding.dtype == torch.bool:
        return ~padding
    hidden = padding == float("-inf")
    # Layers do not look at values elsewhere, since a GPU must be waited for. Here a bias would be dropped in silence.
    if not torch.compiler.is_compiling() and not (hidden | (padding == 0)).all():
        raise ValueError("key_padding_mask must be boolean, or hold only 0 and -inf, got other numbers")
    return ~hidden
