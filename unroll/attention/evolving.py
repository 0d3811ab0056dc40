"""Evolving attention: each layer's logits grow out of those of the layer before, as images that are convolved."""

from dataclasses import replace
from typing import Annotated, Literal

from torch import Tensor, nn

from unroll import validate
from unroll.attention.base import Attention, Carry, Traits, hide_tokens
from unroll.attention.evolution import Evolution
from unroll.attention.evolving_heads import EvolvingHeads, merge_untransposed
from unroll.attention.padding import RealFirst
from unroll.attention.registry import register
from unroll.attention.relative import RelativeGrid, RelativeSequence


@register("evolving")
class EvolvingAttention(Attention):
    r"""Softmax attention whose logits come down from layer to layer through a residual convolution.

    .. math::
        M = (1 - \beta) S + \beta A_{\mathrm{prev}}, \quad
        A = \alpha\, \mathrm{act}(\mathrm{conv}_{3 \times 3}(M)) + (1 - \alpha) M, \quad
        y = \mathrm{softmax}(A) V

    S are the content logits :math:`Q K^\top / \sqrt D` and those of relative positions. A travels on as
    ``carry.logits``; where none came, A_prev is zero (see :class:`Evolution`). Without a grid the tokens are a sequence
    of any length, and under a mask one of the real tokens alone: padding of any length, anywhere, changes nothing.

    Args:
        dim: model width C.
        heads: number of heads H, the channels of the convolution.
        alpha: share of the convolution, 0 to 1.
        beta: share of the layer before, 0 to 1.
        learned: train alpha and beta.
        activation: "leaky-relu" or "relu".
        convolution: False carries residual logits only.
        causal: hear no token that comes later, in the convolution neither.
        relative: add logits of relative positions.
        span: the farthest offset in a sequence that has a row of its own in their table.
        grid: (height, width) of the tokens; None for a sequence.
        published: the released arithmetic for sequences, with its defects: heads are merged without the transpose that
            brings their channels side by side, so that time and channels are mixed, and the table of relative
            positions is random, drawn anew at every call. It is neither causal nor does it take masks.

    Shapes: [B, N, C] to [B, N, C], N = height x width with a grid; cost grows with the square of N.

    Raises:
        ValueError: on bad settings at construction, or when x, the mask or the carried logits have the wrong shape.

    Source: Wang et al. 2021 (Evolving Attention with Residual Convolutions); Wang et al. 2022 (Convolution-enhanced
        Evolving Attention Networks); released code pkuyym/EvolvingAttention.

    Example:
        >>> layer = EvolvingAttention(64, 4)
        >>> y, carry = layer.attend(torch.randn(2, 49, 64))
        >>> y, carry = layer.attend(y, carry)
        >>> carry.logits.shape
        torch.Size([2, 4, 49, 49])
    """

    traits = Traits(takes_grid=True, masks=True, carries=True, exact_gradient=True, compilable=True)

    def __init__(
        self,
        dim: int,
        heads: int,
        *,
        alpha: float = 0.3,
        beta: float = 0.7,
        learned: bool = False,
        activation: Literal["leaky-relu", "relu"] = "leaky-relu",
        convolution: bool = True,
        causal: bool = False,
        relative: bool = True,
        span: int = 32,
        grid: tuple[int, int] | None = None,
        published: bool = False,
    ) -> None:
        super().__init__(dim, heads, grid=grid)
        self.published = published
        if published:
            validate.absent("causal", causal, "the release is not causal, and published=True is as released")
            validate.absent("grid", grid, "published=True is the released code for sequences; that for images is right")
            self.traits = replace(self.traits, masks=False)
        self.qkv = nn.Linear(dim, 3 * dim)
        evolution = Evolution(
            heads,
            alpha=alpha,
            beta=beta,
            learned=learned,
            activation=activation,
            convolution=convolution,
            causal=causal,
        )
        if not relative:
            table = None
        elif self.grid is None:
            table = RelativeSequence(self.head_dim, span=span, learned=not published)
        else:
            table = RelativeGrid(self.head_dim, self.grid)
        self.evolving = EvolvingHeads(evolution, table)
        self.output = nn.Linear(dim, dim)

    def attend(self, x: Tensor, carry: Carry | None = None, mask: Tensor | None = None) -> tuple[Tensor, Carry]:
        x = self.check_input(x, mask)
        if mask is None:
            return self._attend(x, carry, None)
        real = RealFirst.of(mask)
        y, carry = self._attend(real.sort(x), carry, real.mask)
        return real.restore(hide_tokens(y, real.mask)), carry

    def attention_map(
        self, x: Tensor, mask: Tensor | None = None, carry: Carry | None = None
    ) -> Annotated[Tensor, "B H N N"]:
        """Return the weights with which the layer hears, given what was carried to it: rows sum to 1."""
        _, carry = self.attend(x, carry, mask)
        if mask is None:
            return self.evolving.map(carry, None)
        real = RealFirst.of(mask)
        return real.restore_map(hide_tokens(self.evolving.map(carry, real.mask), real.mask))

    def _attend(self, x: Tensor, carry: Carry | None, mask: Tensor | None) -> tuple[Tensor, Carry]:
        q, k, v = (self.split_heads(part) for part in self.qkv(x).chunk(3, dim=-1))
        heard, carry = self.evolving(q, k, v, carry, mask)
        return self.output(merge_untransposed(heard) if self.published else self.merge_heads(heard)), carry

    def extra_repr(self) -> str:
        return super().extra_repr() + (", published" if self.published else "")
