"""From pixels to tokens by small convolutions."""

from collections.abc import Sequence
from typing import Annotated

from torch import Tensor, nn

from unroll import validate


class ConvolutionalEmbedding(nn.Sequential):
    """Convolutions that halve an image, each with a batch norm and a ReLU, and a linear map to the width of the tokens.

    A side of n pixels becomes ceil(n / 2) places, so every image size will do.

    Args:
        channels: of the images.
        widths: channels after each halving.
        dim: width C of the tokens.
        bias: give the convolutions biases, which the batch norms take out again, as released.

    Shapes: [B, channels, height, width] to [B, C, rows, columns].

    Raises:
        ValueError: when there is no halving, or a width is not a whole number above zero.

    Source: Xiao et al. 2021 (early convolutions); juhongm999/pervit, ``pervit.py``.

    Example:
        >>> ConvolutionalEmbedding(1, (32, 64), 64)(torch.rand(2, 1, 28, 28)).shape
        torch.Size([2, 64, 7, 7])
    """

    def __init__(self, channels: int, widths: Sequence[int], dim: int, *, bias: bool = False) -> None:
        if not widths:
            raise ValueError("widths must name the channels of at least one convolution, got none")
        halvings = []
        for before, after in zip((channels, *widths), widths, strict=False):
            halvings += [
                nn.Conv2d(before, validate.count("widths", after), 3, stride=2, padding=1, bias=bias),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
        super().__init__(*halvings, nn.Conv2d(widths[-1], validate.count("dim", dim), 1))
        self.halvings = len(widths)

    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return (rows, columns) of the tokens of images of this (height, width)."""
        height, width = size
        return -(-height // 2**self.halvings), -(-width // 2**self.halvings)

    def forward(self, images: Annotated[Tensor, "B channels height width"]) -> Annotated[Tensor, "B C rows columns"]:
        return super().forward(images)
