"""Where a head looks, from the distance alone: the first of three steps that lead to peripheral attention."""

from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unroll import validate
from unroll.attention.offsets import distances
from unroll.attention.position_network import unlike


class DistanceProjection(nn.Module):
    r"""One linear map of the Euclidean distance R from query to key.

    .. math:: P = \sigma(w R + b)

    Args:
        heads: number of heads H.
        grid: (height, width) of the tokens.
        symmetric: start with heads that are all alike.

    Shapes: log P, [H, N, N], N = height x width; P lies between 0 and 1.

    Raises:
        ValueError: when heads is not a whole number above zero.

    Source: Min et al. 2022 (Peripheral Vision Transformer); where it starts from is this library's choice.

    Example:
        >>> DistanceProjection(4, (7, 7))().shape
        torch.Size([4, 49, 49])
    """

    def __init__(self, heads: int, grid: tuple[int, int], *, symmetric: bool = False) -> None:
        super().__init__()
        self.grid = grid
        self.distance = nn.Linear(1, validate.count("heads", heads))
        nn.init.constant_(self.distance.weight, -1)
        if not symmetric:
            self.distance.weight.data.mul_(unlike(self.distance.weight))
        self._distances: Tensor | None = None
        self.start(0.0)

    @torch.no_grad()
    def start(self, depth: float) -> None:
        """Start as the layer at this share of a network's depth: local at 0, global at 1."""
        self.distance.weight.mul_((3.99 * depth - 4) / self.distance.weight.mean())
        self.distance.bias.fill_(2 + 2 * depth)

    def forward(self) -> Annotated[Tensor, "H N N"]:
        """Return log P, in float32 at least."""
        weight, bias = self.distance.weight, self.distance.bias
        kind = torch.promote_types(weight.dtype, torch.float32)
        held = self._distances
        if held is None or held.dtype != kind or held.device != weight.device:
            held = self._distances = distances(self.grid).to(weight.device, kind)
        return F.logsigmoid(held * weight.to(kind)[..., None] + bias.to(kind)[:, None, None])

    def extra_repr(self) -> str:
        return f"grid={self.grid}"
