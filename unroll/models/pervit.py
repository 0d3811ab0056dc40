"""The peripheral vision transformer: small convolutions first, then stages of blocks that grow wider."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from unroll import validate
from unroll.attention import create
from unroll.models.block import Block
from unroll.models.conditional_positions import ConditionalPositions
from unroll.models.convolutional_embedding import ConvolutionalEmbedding
from unroll.models.image_model import ImageModel


@dataclass(frozen=True)
class Stages:
    """The size of a network in stages.

    Attributes:
        stem: channels after each halving of the image.
        widths: width C of the tokens in each stage.
        depths: number of blocks in each stage; the last of a stage makes the next one's width.
        heads: attention heads a block.
        mlp_ratio: hidden width of the Mlp as a multiple of C.

    Raises:
        ValueError: when there are not as many depths as widths, or none, or a depth is not a whole number above zero.

    Example:
        >>> Stages(stem=(8, 16), widths=(16, 24), depths=(1, 2), heads=2).blocks
        [(16, 24), (24, 24), (24, 24)]
    """

    stem: tuple[int, ...]
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    heads: int
    mlp_ratio: float = 4.0

    def __post_init__(self) -> None:
        if not self.widths or len(self.widths) != len(self.depths):
            raise ValueError(f"depths must be one for each of widths = {self.widths}, got {self.depths}")
        for depth in self.depths:
            validate.count("depths", depth)

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """Return the width of each block's input and output."""
        widths = [width for width, depth in zip(self.widths, self.depths, strict=True) for _ in range(depth)]
        return list(pairwise([*widths, widths[-1]]))


SIZES = {
    "tiny": Stages((48, 64, 96, 128), (128, 192, 224, 280), (2, 2, 6, 2), heads=4),
    "small": Stages((64, 128, 192, 272), (272, 320, 368, 464), (2, 2, 6, 2), heads=8),
    "medium": Stages((64, 192, 256, 312), (312, 468, 540, 684), (2, 2, 6, 2), heads=12),
    "mini": Stages((32, 64), (64, 96), (2, 2), heads=4, mlp_ratio=2.0),
}


class PerViT(ImageModel):
    """A transformer of images in stages, made for peripheral attention and open to any.

    Tokens read their positions off their neighbours before each attention, in the place of learned positions.

    Args:
        attention: a name known to ``unroll.attention.create``.
        options: further keyword arguments of that attention.
        size: "tiny", "small" or "medium", each with patches of 16 pixels; "mini", with patches of 4, for images of some
            30 pixels; or :class:`Stages` of your own.
        image_size: height and width in pixels, whatever they are.
        channels: 1 for grey, 3 for colour.
        classes: number of classes.
        mean: mean of the pixels of the training set.
        std: standard deviation of these pixels.
        published: as released, with peripheral attention: biases without effect, and all layers' projections of the
            distance are one.

    Shapes: images [B, channels, height, width] with pixels from 0 to 1, to logits [B, classes].

    Raises:
        ValueError: on an unknown size or sizes that do not fit, at construction or at the call.

    Source: Min et al. 2022 (Peripheral Vision Transformer); juhongm999/pervit, ``pervit.py`` and ``models.py``.

    Example:
        >>> PerViT(size="mini", image_size=(28, 28), channels=1, classes=10)(torch.rand(2, 1, 28, 28)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        attention: str = "peripheral",
        *,
        options: Mapping[str, object] | None = None,
        size: str | Stages = "tiny",
        image_size: tuple[int, int] = (224, 224),
        channels: int = 3,
        classes: int = 1000,
        mean: float = 0.0,
        std: float = 1.0,
        published: bool = False,
    ) -> None:
        super().__init__(image_size=image_size, channels=channels, mean=mean, std=std)
        validate.count("classes", classes)
        if published:
            if attention != "peripheral":
                raise ValueError(f"attention must be 'peripheral' with published=True, got {attention!r}")
            options = {**(options or {}), "published": True}
        stages = size if isinstance(size, Stages) else SIZES[validate.choice("size", size, SIZES)]
        self.embed = ConvolutionalEmbedding(channels, stages.stem, stages.widths[0], bias=published)
        self.grid = self.embed.grid(self.image_shape[1:])
        self.positions = None
        widths = stages.blocks
        self.blocks = nn.ModuleList(
            Block(
                create(attention, dim=width, heads=stages.heads, grid=self.grid, **(options or {})).at_depth(
                    index, len(widths)
                ),
                mlp_ratio=stages.mlp_ratio,
                before=ConditionalPositions(width, self.grid),
                out=out,
                eps=1e-6,
            )
            for index, (width, out) in enumerate(widths)
        )
        if published:
            shared = self.blocks[0].attention.position.distance
            for block in self.blocks:
                block.attention.position.distance = shared
        self.norm = nn.LayerNorm(stages.widths[-1], eps=1e-6)
        self.head = nn.Linear(stages.widths[-1], classes)
