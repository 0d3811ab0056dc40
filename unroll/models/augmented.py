"""Dilated convolutions whose last channels are what evolving attention hears."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from unroll import validate
from unroll.attention import Carry, EvolvingHeads, merge_untransposed
from unroll.models.token_norm import TokenNorm


class AugmentedConvolution(nn.Module):
    r"""A causal, dilated convolution of the sequence, beside evolving attention over it.

    .. math::
        y = \bigl[\, b + \sum_j W_j\, x_{t - (K - 1 - j) d},\;\; \mathrm{merge}(\mathrm{softmax}(A) V) \,\bigr]

    Args:
        width: of the input.
        out: of the output, both parts together.
        dilation: d, the distance in time steps between the taps.
        kernel: K, the number of taps.
        heads: the attention; None leaves all channels to the convolution.
        keys: width of all heads' queries, and of their keys.
        values: width of all heads' values: this many channels of the output come from attention.
        count: number of heads.
        published: merge the heads without the transpose, as released; no masks then.

    Shapes: [B, N, width] to [B, N, out]. Under a mask the real tokens stand first.

    Raises:
        ValueError: when a width or number is not a whole number above zero, keys or values is not divisible by the
            number of heads, or values is not below out; at the call, when a mask is given with ``published``.

    Source: Wang et al. 2022 (Convolution-enhanced Evolving Attention Networks); pkuyym/EvolvingAttention.

    Example:
        >>> from unroll.attention import Evolution
        >>> layer = AugmentedConvolution(12, 64, dilation=2, heads=EvolvingHeads(Evolution(8)), keys=16, values=16)
        >>> y, carry = layer(torch.randn(2, 29, 12))
        >>> y.shape, carry.logits.shape
        (torch.Size([2, 29, 64]), torch.Size([2, 8, 29, 29]))
    """

    def __init__(
        self,
        width: int,
        out: int,
        *,
        dilation: int = 1,
        kernel: int = 3,
        heads: EvolvingHeads | None = None,
        keys: int = 8,
        values: int = 8,
        count: int = 8,
        published: bool = False,
    ) -> None:
        super().__init__()
        sizes = {"width": width, "out": out, "dilation": dilation, "kernel": kernel, "count": count}
        for name, value in sizes.items():
            validate.count(name, value)
        self.width, self.out = width, out
        self.reach, self.count, self.published = (kernel - 1) * dilation, count, published
        self.heads, self.parts = heads, (keys, keys, values)
        if heads is not None:
            for name, value in {"keys": keys, "values": values}.items():
                if validate.count(name, value) % count:
                    raise ValueError(f"{name} must be divisible by count = {count} heads, got {value}")
            if values >= out:
                raise ValueError(f"values must be below out = {out}, got {values}")
            self.qkv = nn.Linear(width, sum(self.parts))
        own = out if heads is None else out - values
        self.convolution = weight_norm(nn.Conv1d(width, own, kernel, dilation=dilation))

    def forward(
        self, x: Annotated[Tensor, "B N C"], carry: Carry | None = None, mask: Annotated[Tensor, "B N"] | None = None
    ) -> tuple[Tensor, Carry | None]:
        if self.published:
            validate.absent("mask", mask, "published=True takes padding for time steps")
        near = self.convolution(F.pad(x.mT, (self.reach, 0))).mT
        if self.heads is None:
            return near, carry
        q, k, v = (
            part.unflatten(-1, (self.count, -1)).transpose(1, 2) for part in self.qkv(x).split(self.parts, dim=-1)
        )
        heard, carry = self.heads(q, k, v, carry, mask)
        far = merge_untransposed(heard) if self.published else heard.transpose(1, 2).flatten(2)
        return torch.cat([near, far], dim=-1), carry


class AugmentedBlock(nn.Module):
    r"""Two augmented convolutions, each followed by a batch norm and two linear maps, around a residual.

    .. math::
        h_1 = \mathrm{Mlp}(\mathrm{BN}(\mathrm{conv}_1(x))), \qquad
        h_2 = \mathrm{Mlp}(\mathrm{BN}(\mathrm{conv}_2(h_1))), \qquad
        y = \mathrm{BN}(h_2 + \mathrm{res}(x))

    A convolution reads the logits of the one before through a leaky ReLU. Where widths differ ``res`` is a linear map.

    Args:
        first: the first convolution, which takes the input.
        second: the second one, which takes as many channels as it makes.
        hidden: width between the linear maps.
        dropout: share of their hidden numbers, and of the logits that are read, that is dropped in training.

    Shapes: [B, N, width] to [B, N, out]. Under a mask the real tokens stand first.

    Raises:
        ValueError: when the two convolutions do not fit each other.

    Source: pkuyym/EvolvingAttention, ``ea_dc_transformer.py``.

    Example:
        >>> block = AugmentedBlock(AugmentedConvolution(12, 64), AugmentedConvolution(64, 64), hidden=256)
        >>> block(torch.randn(2, 29, 12))[0].shape
        torch.Size([2, 29, 64])
    """

    def __init__(
        self, first: AugmentedConvolution, second: AugmentedConvolution, *, hidden: int, dropout: float = 0.1
    ) -> None:
        super().__init__()
        width, out = first.width, second.out
        if not first.out == second.width == out:
            raise ValueError(f"second must take and make first.out = {first.out}, got {second.width} and {out}")
        self.convolutions = nn.ModuleList([first, second])
        self.norms = nn.ModuleList(TokenNorm(out) for _ in range(2))
        self.mlps = nn.ModuleList(
            nn.Sequential(nn.Linear(out, hidden), nn.LeakyReLU(), nn.Dropout(dropout), nn.Linear(hidden, out))
            for _ in range(2)
        )
        self.residual = nn.Linear(width, out) if width != out else nn.Identity()
        self.norm = TokenNorm(out)
        self.dropout = nn.Dropout(dropout, inplace=True)  # of what no backward pass asks for

    def forward(
        self, x: Annotated[Tensor, "B N C"], carry: Carry | None = None, mask: Annotated[Tensor, "B N"] | None = None
    ) -> tuple[Tensor, Carry | None]:
        *_, (h, carry) = self._halves(x, carry, mask)
        return self.norm(h + self.residual(x), mask), carry

    def attention_maps(
        self, x: Annotated[Tensor, "B N C"], carry: Carry | None = None, mask: Annotated[Tensor, "B N"] | None = None
    ) -> list[Annotated[Tensor, "B H N N"]]:
        """Return the maps of the attention beside the convolutions, given what ``forward`` is given."""
        made = zip(self.convolutions, self._halves(x, carry, mask), strict=True)
        return [half.heads.map(after, mask) for half, (_, after) in made if half.heads is not None]

    def _halves(self, x: Tensor, carry: Carry | None, mask: Tensor | None) -> Iterator[tuple[Tensor, Carry | None]]:
        """Yield what each convolution with its linear maps makes, and hands on."""
        for convolution, norm, mlp in zip(self.convolutions, self.norms, self.mlps, strict=True):
            x, carry = convolution(x, self._rectified(carry, convolution), mask)
            x = mlp(norm(x, mask))
            yield x, carry

    def _rectified(self, carry: Carry | None, reader: AugmentedConvolution) -> Carry | None:
        """Return the carry as a convolution reads it; what is carried are the logits whose softmax is the map."""
        if carry is None or carry.logits is None or reader.heads is None or not reader.heads.evolution.reads:
            return carry
        return replace(carry, logits=self.dropout(F.leaky_relu(carry.logits)))
