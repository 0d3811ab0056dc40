"""Where a head looks, relative to its query: a small network over distances, from which attention takes a bias."""

from typing import Annotated

import torch
from torch import Tensor, nn

from unroll import validate
from unroll.attention.offsets import OffsetPlane
from unroll.attention.peripheral_projection import logits, peripheral_projection

_KERNEL = 0.02  # the release's constant for all weights of the network, that of the distances with a minus


def unlike(weight: Tensor) -> Tensor:
    """Return factors between 1/2 and 3/2 that make channels and heads differ, and no distance change its sign."""
    return torch.empty_like(weight).uniform_(0.5, 1.5)


class PositionNetwork(nn.Module):
    r"""Peripheral projections: two convolutions over the distances that surround each offset from a query to a key.

    .. math::
        P = \sigma(\mathrm{norm}_2(\kappa_2 * \mathrm{relu}(\mathrm{norm}_1(\kappa_1 * (w R + b)))))

    R are the Euclidean distances from one query to all keys, and to places beside the grid, as an image. A norm takes
    mean and variance of each channel over the image of one query. All that precedes the first of them is linear in the
    distances, and is one kernel of side x side numbers a channel: the distances around every offset are gathered once
    for all queries, and the norm's mean and variance are a linear and a quadratic form of the kernel (see
    :class:`OffsetPlane`). Biases before a norm have no effect, and exist only as
    published.

    Args:
        heads: number of heads H; there are 4 H hidden channels.
        grid: (height, width) of the tokens.
        side: of the kernels: 3 for a neighbourhood, 1 for none.
        symmetric: start with hidden channels that are all alike, and heads too, as released. Alike the channels remain:
            their gradients are the same, so that 4 H do the work of one. Otherwise weights differ by random factors
            between 1/2 and 3/2, and channels rise at different distances.
        published: have the released biases.

    Shapes: log P, [H, N, N], N = height x width; P lies between 0 and 1.

    Raises:
        ValueError: when heads or side is not a whole number above zero, or side is even.

    Source: Min et al. 2022 (Peripheral Vision Transformer); juhongm999/pervit, ``pervit.py``.

    Example:
        >>> PositionNetwork(4, (7, 7))().shape
        torch.Size([4, 49, 49])
    """

    def __init__(
        self, heads: int, grid: tuple[int, int], *, side: int = 3, symmetric: bool = False, published: bool = False
    ) -> None:
        super().__init__()
        hidden = 4 * validate.count("heads", heads)
        if validate.count("side", side) % 2 == 0:
            raise ValueError(f"side must be odd, so that a neighbourhood has a centre, got {side}")
        self.grid, self.side = grid, side
        self.distance = nn.Linear(1, hidden, bias=published)
        self.first = nn.Conv2d(hidden, hidden, side, bias=published)
        self.norm1 = nn.GroupNorm(hidden, hidden)
        self.second = nn.Conv2d(hidden, heads, side, bias=published)
        self.norm2 = nn.GroupNorm(heads, heads)
        for part, value in ((self.distance, -_KERNEL), (self.first, _KERNEL), (self.second, _KERNEL)):
            nn.init.constant_(part.weight, value)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
            if not symmetric:
                part.weight.data.mul_(unlike(part.weight))
        if not symmetric:
            nn.init.uniform_(self.norm1.bias, -1, 1)  # channels that rise at different distances
        self._plane: OffsetPlane | None = None
        self._offsets(self.first.weight.dtype)
        self.start(0.0)

    @torch.no_grad()
    def start(self, depth: float) -> None:
        """Start as the layer at this share of a network's depth: local at 0, global at 1.

        Source: the schedule of juhongm999/pervit.
        """
        self.norm2.bias.fill_(-5 + 9 * depth)
        self.norm2.weight.fill_(3 - 2.99 * depth)

    def forward(self) -> Annotated[Tensor, "H N N"]:
        """Return log P, in float32 at least."""
        device = self.first.weight.device.type
        if device != "meta" and torch.is_autocast_enabled(device):
            with torch.autocast(device, enabled=False):
                return self._log_weights()
        return self._log_weights()

    def logits(self) -> Annotated[Tensor, "H N N"]:
        """Return what is normalised last: what the second convolution makes, without its bias."""
        return logits(*self._projections())

    def _log_weights(self) -> Annotated[Tensor, "H N N"]:
        projections = self._projections()
        scale, shift = (part.to(projections[0].dtype) for part in self.norm2.parameters())
        return peripheral_projection(*projections, scale, shift, eps=self.norm2.eps)

    def _projections(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return the taps of the plane, each query's weights from them to the normalised hidden image, and kernel 2."""
        kind = torch.promote_types(self.first.weight.dtype, torch.float32)
        distance, first, second, scale, shift = (
            part.to(kind)
            for part in (self.distance.weight, self.first.weight, self.second.weight, *self.norm1.parameters())
        )
        plane = self._offsets(kind)
        kernel = torch.einsum("cdyx,d->yxc", first, distance.squeeze(1)).flatten(0, 1)
        variance = ((plane.covariances @ kernel) * kernel).sum(-2).clamp_min(0)
        kernel = kernel * (scale * (variance + self.norm1.eps).rsqrt()).unsqueeze(-2)
        shift = shift.expand_as(variance).unsqueeze(-2) - plane.means.unsqueeze(-2) @ kernel
        return plane.taps, torch.cat([kernel, shift], dim=-2), second

    def _offsets(self, kind: torch.dtype) -> OffsetPlane:
        """Return the plane of offsets, which is made anew when the weights have another dtype or device."""
        plane, device = self._plane, self.first.weight.device
        if plane is None or plane.taps.dtype != kind or plane.taps.device != device:
            plane = self._plane = OffsetPlane.of(self.grid, self.side, kind, device)
        return plane

    def extra_repr(self) -> str:
        return f"grid={self.grid}"
