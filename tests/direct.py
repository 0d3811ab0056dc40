"""Peripheral attention as the release computes it, written plainly: an image of distances for every query."""

from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unroll.attention import PeripheralAttention, PositionNetwork
from unroll.attention.offsets import spacing


class DirectPosition(nn.Module):
    """P from the modules of a position network, [H, N, N]: every query has an image, and every image is convolved."""

    def __init__(self, network: PositionNetwork) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("images", _images(network).to(network.first.weight.dtype))

    def forward(self) -> Annotated[Tensor, "H N N"]:
        network = self.network
        image = network.distance(self.images).permute(0, 3, 1, 2)
        hidden = F.relu(network.norm1(network.first(image)))
        return network.norm2(network.second(hidden)).sigmoid().flatten(2).transpose(0, 1)


class DirectAttention(nn.Module):
    """The layer around it: weights are formed, multiplied and normalised one after the other."""

    def __init__(self, layer: PeripheralAttention) -> None:
        super().__init__()
        self.layer, self.position, self.dim = layer, DirectPosition(layer.position), layer.dim

    def forward(self, x: Annotated[Tensor, "B N C"]) -> Annotated[Tensor, "B N C"]:
        layer = self.layer
        q, k, v = (layer.split_heads(part) for part in layer.qkv(x).chunk(3, dim=-1))
        logits = q @ k.mT * layer.head_dim**-0.5
        weights = self.position() * (logits - logits.amax(dim=-1, keepdim=True)).exp()
        return layer.output(layer.merge_heads(F.normalize(weights, p=1, dim=-1) @ v))


def _images(network: PositionNetwork) -> Annotated[Tensor, "N Y X 1"]:
    """Return the distances from each place of the grid to each place of it and around it."""
    height, width = network.grid
    pad = 2 * (network.side // 2)
    y, x = (torch.arange(-pad, size + pad, dtype=torch.float64) for size in network.grid)
    return torch.stack([torch.hypot(y[:, None] - row, x - column) for row in range(height) for column in range(width)])[
        ..., None
    ] * spacing(network.grid)
