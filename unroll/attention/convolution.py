"""A convolution in the place of attention: what a network does whose tokens hear the same neighbours, come what may."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unroll import validate
from unroll.attention.base import Attention, Carry, Traits
from unroll.attention.registry import register


@register("convolution")
class Convolution(Attention):
    r"""A depthwise convolution over the grid: the yardstick that does not attend.

    .. math:: y_{ic} = \sum_{\delta} k_{c\delta}\, v_{i + \delta,\, c}

    Every channel c learns one number for each offset :math:`\delta` within a square around token i; beyond the border
    there is nothing. Who hears whom does not depend on what the tokens hold.

    Args:
        dim: model width C.
        heads: number of heads H; they divide the channels for :meth:`attention_map` alone.
        size: side of the square, odd.
        grid: (height, width) of the tokens, which are its places row by row.

    Shapes: [B, N, C] to [B, N, C], N = height x width; cost grows linearly with N.

    Raises:
        ValueError: on bad settings at construction, or when x has the wrong shape or a mask comes.

    Source: Trockman and Kolter 2022 (ConvMixer), whose blocks mix places by a depthwise convolution.

    Example:
        >>> Convolution(64, 4, grid=(7, 7))(torch.randn(2, 49, 64)).shape
        torch.Size([2, 49, 64])
    """

    traits = Traits(needs_grid=True, exact_gradient=True, compilable=True)

    def __init__(self, dim: int, heads: int, *, size: int = 3, grid: tuple[int, int]) -> None:
        super().__init__(dim, heads, grid=grid)
        if validate.count("size", size) % 2 == 0:
            raise ValueError(f"size must be odd, so that a token stands in the middle, got {size}")
        self.value = nn.Linear(dim, dim)
        self.kernel = nn.Conv2d(dim, dim, size, padding=size // 2, groups=dim, bias=False)
        self.output = nn.Linear(dim, dim)

    def attend(self, x: Tensor, carry: Carry | None = None, mask: Tensor | None = None) -> tuple[Tensor, Carry | None]:
        images = self.value(self.check_input(x, mask)).mT.unflatten(-1, self.grid)
        return self.output(self.kernel(images).flatten(-2).mT), carry

    def attention_map(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the derivative of output i by value j, averaged over each head's channels: the same for any x."""
        x = self.check_input(x, mask)
        mean = self.kernel.weight.unflatten(0, (self.heads, -1)).mean(1)
        single = torch.eye(x.shape[1], dtype=x.dtype, device=x.device).unflatten(-1, self.grid)[:, None]
        heard = F.conv2d(single, mean, padding=self.kernel.padding).flatten(-2)  # token heard, head, token
        return heard.permute(1, 2, 0).expand(len(x), -1, -1, -1)
