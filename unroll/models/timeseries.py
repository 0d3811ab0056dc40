"""Transformers of time series: classification and regression, of series of any length up to the longest."""

from collections.abc import Mapping

from unroll import validate
from unroll.attention import Evolution, EvolvingHeads, RelativeSequence, attentions, create
from unroll.models.augmented import AugmentedBlock, AugmentedConvolution
from unroll.models.norm_block import NormBlock
from unroll.models.series_model import SeriesModel


class TimeSeriesTransformer(SeriesModel):
    """A batch-norm transformer encoder that takes its attention by name.

    The attention's weights are not dropped out, as they are in the paper.

    Args:
        attention: a name known to ``unroll.attention.create``; one that is bound to a grid takes neither masks nor
            series shorter than ``length``.
        channels: numbers a time step.
        length: of the longest series.
        outputs: classes, or 1 for regression.
        dim: width C of the tokens.
        depth: number of blocks.
        heads: attention heads a block.
        hidden: hidden width of the blocks' Mlp.
        dropout: in training.
        masked: False takes padding for time steps, as released code does.
        options: further keyword arguments of that attention.

    Shapes: series [B, N, channels], N <= length, and a mask [B, N] to [B, outputs].

    Raises:
        ValueError: on sizes that do not fit, at construction or at the call.

    Source: Zerveas et al. 2021 (a transformer-based framework for multivariate time series).

    Example:
        >>> model = TimeSeriesTransformer("vars-d", channels=12, length=29, outputs=9)
        >>> model(torch.randn(2, 20, 12)).shape
        torch.Size([2, 9])
    """

    def __init__(
        self,
        attention: str = "softmax",
        *,
        channels: int,
        length: int,
        outputs: int,
        dim: int = 64,
        depth: int = 3,
        heads: int = 8,
        hidden: int = 256,
        dropout: float = 0.1,
        masked: bool = True,
        options: Mapping[str, object] | None = None,
    ) -> None:
        grid = (1, length) if attentions[attention].traits.needs_grid else None
        layers = (
            create(attention, dim=dim, heads=heads, grid=grid, **(options or {})).at_depth(index, depth)
            for index in range(validate.count("depth", depth))
        )
        blocks = [NormBlock(layer, hidden=hidden, dropout=dropout) for layer in layers]
        sizes = {"channels": channels, "length": length, "outputs": outputs, "dim": dim}
        super().__init__(blocks, **sizes, dropout=dropout, masked=masked)


class EADCTransformer(SeriesModel):
    """Dilated convolutions with evolving attention beside them (EA-DC): one block more than ``depth``, as released.

    The blocks' dilations are 1, 2, 4 and so on. In the first block logits are handed on as they are, from the second
    on they evolve. The tables of relative positions are learned and long enough for the longest series.

    Args:
        channels: numbers a time step.
        length: of the longest series.
        outputs: classes, or 1 for regression.
        dim: width C of the tokens.
        depth: number of blocks beside the last.
        heads: attention heads a convolution.
        hidden: width between the blocks' linear maps.
        dropout: in training, of the logits that a convolution reads too.
        kernel: taps of the dilated convolutions.
        alpha: share of the convolution over the map.
        beta: share of the map before.
        keys: width of the queries, and of the keys, as a share of ``dim``.
        values: width of the values, as a share of ``dim``; the other channels come from the dilated convolution.
        attention: False leaves the dilated convolutions alone.
        convolution: False leaves residual logits: maps are handed on and mixed, and not convolved.
        causal: let no time step hear a later one, through the maps neither; the last linear map hears all of them.
        masked: False takes padding for time steps, as released code does.
        published: the released arithmetic, with its defects (see :class:`unroll.attention.EvolvingAttention`); it
            takes no masks but with ``masked=False``.

    Shapes: series [B, N, channels], N <= length, and a mask [B, N] to [B, outputs].

    Raises:
        ValueError: on sizes that do not fit, at construction or at the call.

    Source: Wang et al. 2022 (Convolution-enhanced Evolving Attention Networks); pkuyym/EvolvingAttention.

    Example:
        >>> model = EADCTransformer(channels=12, length=29, outputs=9)
        >>> model(torch.randn(2, 20, 12)).shape
        torch.Size([2, 9])
    """

    def __init__(
        self,
        *,
        channels: int,
        length: int,
        outputs: int,
        dim: int = 64,
        depth: int = 3,
        heads: int = 8,
        hidden: int = 256,
        dropout: float = 0.1,
        kernel: int = 3,
        alpha: float = 0.3,
        beta: float = 0.7,
        keys: float = 0.125,
        values: float = 0.125,
        attention: bool = True,
        convolution: bool = True,
        causal: bool = False,
        masked: bool = True,
        published: bool = False,
    ) -> None:
        validate.count("dim", dim)
        validate.count("length", length)
        if published:
            validate.absent("causal", causal, "the release is not causal, and published=True is as released")
        widths = {
            name: round(dim * validate.share(name, part)) for name, part in {"keys": keys, "values": values}.items()
        }

        def augmented(index: int) -> AugmentedConvolution:
            evolution = (
                Evolution(heads, alpha=alpha, beta=beta, convolution=convolution, causal=causal)
                if index
                else Evolution(heads, beta=0, convolution=False, causal=causal)
            )
            table = RelativeSequence(max(widths["keys"] // heads, 1), span=max(length - 1, 1), learned=not published)
            return AugmentedConvolution(
                dim,
                dim,
                dilation=2**index,
                kernel=kernel,
                heads=EvolvingHeads(evolution, table) if attention else None,
                count=heads,
                published=published,
                **widths,
            )

        blocks = [
            AugmentedBlock(augmented(index), augmented(index), hidden=hidden, dropout=dropout)
            for index in range(validate.count("depth", depth) + 1)
        ]
        sizes = {"channels": channels, "length": length, "outputs": outputs, "dim": dim}
        super().__init__(blocks, **sizes, dropout=dropout, masked=masked)
