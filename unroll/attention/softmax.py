"""Softmax attention: the yardstick."""

import copy
import math
from typing import Self

from torch import Tensor, nn
from torch.nn import functional as F

from unroll import validate
from unroll.attention.base import Attention, Carry, Traits, hide_tokens
from unroll.attention.registry import register


@register("softmax")
class SoftmaxAttention(Attention):
    r"""Multi-head self-attention, through PyTorch's ``scaled_dot_product_attention``.

    .. math:: A = \mathrm{softmax}\bigl(Q K^\top / (T \sqrt D)\bigr), \qquad y = A V

    Args:
        dim: model width C.
        heads: number of heads H.
        temperature: T > 0, dimensionless; above 1 attention is spread more evenly, a defence against adversarial
            patches, which draw it to themselves.

    Shapes: [B, N, C] to [B, N, C]; cost grows with the square of N.

    Raises:
        ValueError: when dim is not divisible by heads, temperature is not above zero, or x or the mask
            has the wrong shape.

    Source: Vaswani et al. 2017, eq. 1; temperature as a defence: Gu, Tresp and Qin 2022.

    Example:
        >>> SoftmaxAttention(64, 4)(torch.randn(2, 49, 64)).shape
        torch.Size([2, 49, 64])
    """

    traits = Traits(permutation_equivariant=True, masks=True, exact_gradient=True, compilable=True)

    def __init__(self, dim: int, heads: int, *, temperature: float = 1.0) -> None:
        super().__init__(dim, heads)
        self._heat(temperature)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.output = nn.Linear(dim, dim)

    def attend(self, x: Tensor, carry: Carry | None = None, mask: Tensor | None = None) -> tuple[Tensor, Carry | None]:
        x = self.check_input(x, mask)
        q, k, v = (self.split_heads(part) for part in self.qkv(x).chunk(3, dim=-1))
        heard = None if mask is None else mask[:, None, None, :]
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=heard, scale=self.scale)
        return hide_tokens(self.output(self.merge_heads(y)), mask), carry

    def attention_map(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = self.check_input(x, mask)
        q, k, _ = (self.split_heads(part) for part in self.qkv(x).chunk(3, dim=-1))
        logits = q @ k.mT * self.scale
        if mask is not None:
            logits = logits.masked_fill(~mask[:, None, None, :], float("-inf"))
        return hide_tokens(logits.softmax(dim=-1), mask)

    def with_temperature(self, temperature: float) -> Self:
        """Return a layer that shares all weights with this one and attends at another temperature.

        Raises:
            ValueError: when temperature is not a finite number above zero.
        """
        other = copy.copy(self)
        other._heat(temperature)
        other.settings = self.settings | {"temperature": temperature}
        return other

    def extra_repr(self) -> str:
        return super().extra_repr() + (f", temperature={self.temperature:g}" if self.temperature != 1 else "")

    def _heat(self, temperature: float) -> None:
        self.temperature = validate.positive("temperature", temperature)
        self.scale = 1 / (temperature * math.sqrt(self.head_dim))
