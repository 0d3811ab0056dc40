"""Real tokens first: what a layer whose tokens have neighbours does with a mask."""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class RealFirst:
    """The order in which a sample's real tokens come first, in their own order, and its padding last.

    Masking is then dropping even where a token's neighbours count: tokens with padding between them become neighbours.

    Attributes:
        order: which token comes to each place.
        mask: True for real tokens, in the new order.

    Example:
        >>> order = RealFirst.of(torch.tensor([[False, True, True]]))
        >>> x = torch.tensor([[[0.0], [1.0], [2.0]]])
        >>> order.sort(x).flatten(), order.restore(order.sort(x)).flatten()
        (tensor([1., 2., 0.]), tensor([0., 1., 2.]))
    """

    order: Annotated[Tensor, "B N"]
    mask: Annotated[Tensor, "B N"]

    @classmethod
    def of(cls, mask: Annotated[Tensor, "B N"]) -> "RealFirst":
        """Return the order that a mask asks for."""
        order = torch.argsort(~mask, dim=1, stable=True)
        return cls(order, mask.take_along_dim(order, dim=1))

    def sort(self, x: Annotated[Tensor, "B N C"]) -> Annotated[Tensor, "B N C"]:
        """Return tokens in the new order."""
        return x.take_along_dim(self.order[:, :, None], dim=1)

    def restore(self, x: Annotated[Tensor, "B N C"]) -> Annotated[Tensor, "B N C"]:
        """Return tokens in the order that they had."""
        return x.take_along_dim(self.order.argsort(dim=1)[:, :, None], dim=1)

    def restore_map(self, weights: Annotated[Tensor, "B H N N"]) -> Annotated[Tensor, "B H N N"]:
        """Return a map of pairs in the order that the tokens had."""
        back = self.order.argsort(dim=1)[:, None]
        return weights.take_along_dim(back[..., None], dim=2).take_along_dim(back[:, :, None], dim=3)
