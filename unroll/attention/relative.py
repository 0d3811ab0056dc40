"""Logits that know how far apart two tokens are: learned tables of offsets, for sequences and for grids."""

from typing import Annotated

import torch
from torch import Tensor, nn

from unroll import validate


class RelativeSequence(nn.Module):
    r"""Content logits with those of the distance from query to key, in a sequence of any length.

    .. math:: S_{ij} = q_i^\top k_j + q_i^\top r_{j - i}

    Offsets beyond the span share the table's first and last row. All heads share the table.

    Args:
        width: of a query, D.
        span: the farthest offset with a row of its own; the table has 2 span + 1 rows, the middle one for offset 0.
        learned: False draws the table anew at every call, standard normal and as long as the sequence asks, as the
            release does: nothing is learned, and no two calls agree.

    Shapes: q and k [B, H, N, D] to [B, H, N, N].

    Raises:
        ValueError: when width or span is not a whole number above zero.

    Source: Shaw et al. 2018 (clipped offsets); pkuyym/EvolvingAttention, ``ea_dc_transformer.py`` (the index shift).

    Example:
        >>> RelativeSequence(16, span=8)(torch.randn(2, 4, 30, 16), torch.randn(2, 4, 30, 16)).shape
        torch.Size([2, 4, 30, 30])
    """

    def __init__(self, width: int, *, span: int, learned: bool = True) -> None:
        super().__init__()
        self.width, self.span = validate.count("width", width), validate.count("span", span)
        self.table = nn.Parameter(_small(2 * span + 1, width)) if learned else None

    def forward(self, q: Annotated[Tensor, "B H N D"], k: Annotated[Tensor, "B H N D"]) -> Annotated[Tensor, "B H N N"]:
        return (q @ k.mT).add_(self.bias(q))

    def bias(self, q: Annotated[Tensor, "B H N D"]) -> Annotated[Tensor, "B H N N"]:
        """Return the part of the logits that comes from the distances."""
        tokens = q.shape[-2]
        span = max(tokens - 1, 1) if self.table is None else self.span
        table = self.draw(span, q) if self.table is None else self.table
        places = torch.arange(tokens, device=q.device)
        offsets = (places - places[:, None]).clamp(-span, span) + span
        if 4 * self.width > q.shape[0] * q.shape[1]:
            return (q @ table.mT).gather(-1, offsets.expand(*q.shape[:2], -1, -1))
        # Narrow heads: a row for each pair is small beside the maps, and its product faster than looking scores up.
        rows = table.index_select(0, offsets.flatten()).unflatten(0, offsets.shape)
        return torch.einsum("bhid,ijd->bhij", q, rows)

    def draw(self, span: int, like: Tensor) -> Annotated[Tensor, "offsets D"]:
        """Return a random table, of the dtype and on the device of a tensor."""
        return torch.randn(2 * span + 1, self.width, dtype=like.dtype, device=like.device)

    def extra_repr(self) -> str:
        return f"width={self.width}, " + ("redrawn" if self.table is None else f"span={self.span}")


class RelativeGrid(nn.Module):
    r"""Content logits with those of the distance from query to key, in rows and in columns of a grid.

    .. math:: S_{ij} = q_i^\top k_j + q_i^\top r^y_{y_j - y_i} + q_i^\top r^x_{x_j - x_i}

    A query meets only as many different rows and columns as the grid has. So both parts are one product with the
    content: queries extended by their scores, keys by which row and column they stand in.

    Args:
        width: of a query, D.
        grid: (height, width) of the tokens, which are its places row by row.

    Shapes: q and k [B, H, N, D] to [B, H, N, N], N = height x width.

    Raises:
        ValueError: when a size is not a whole number above zero.

    Source: Bello et al. 2019 (attention augmented convolutions); pkuyym/EvolvingAttention, ``resnet_model.py``.

    Example:
        >>> RelativeGrid(16, (3, 5))(torch.randn(2, 4, 15, 16), torch.randn(2, 4, 15, 16)).shape
        torch.Size([2, 4, 15, 15])
    """

    def __init__(self, width: int, grid: tuple[int, int]) -> None:
        super().__init__()
        rows, columns = self.grid = grid
        validate.count("width", width)
        self.vertical = nn.Parameter(_small(2 * validate.count("grid height", rows) - 1, width))
        self.horizontal = nn.Parameter(_small(2 * validate.count("grid width", columns) - 1, width))

    def forward(self, q: Annotated[Tensor, "B H N D"], k: Annotated[Tensor, "B H N D"]) -> Annotated[Tensor, "B H N N"]:
        places = self._places(k).expand(*k.shape[:2], -1, -1)
        return torch.cat([q, self._scores(q)], dim=-1) @ torch.cat([k, places], dim=-1).mT

    def bias(self, q: Annotated[Tensor, "B H N D"]) -> Annotated[Tensor, "B H N N"]:
        """Return the part of the logits that comes from the distances."""
        return self._scores(q) @ self._places(q).mT

    def _scores(self, q: Annotated[Tensor, "B H N D"]) -> Annotated[Tensor, "B H N height+width"]:
        """Return what each query gives to each row and to each column of the grid."""
        rows, columns = self.grid
        image = q.unflatten(-2, self.grid)
        vertical = torch.einsum("bhyxd,yvd->bhyxv", image, self.vertical[_offsets(rows, q.device)])
        horizontal = torch.einsum("bhyxd,xud->bhyxu", image, self.horizontal[_offsets(columns, q.device)])
        return torch.cat([vertical, horizontal], dim=-1).flatten(2, 3)

    def _places(self, like: Tensor) -> Annotated[Tensor, "N height+width"]:
        """Return which row and which column each place stands in, as ones among zeros."""
        rows, columns = (torch.eye(size, dtype=like.dtype, device=like.device) for size in self.grid)
        return torch.cat([rows.repeat_interleave(self.grid[1], dim=0), columns.repeat(self.grid[0], 1)], dim=-1)

    def extra_repr(self) -> str:
        return f"width={self.vertical.shape[1]}, grid={self.grid}"


def grid_offsets(grid: tuple[int, int]) -> tuple[Annotated[Tensor, "N N"], Annotated[Tensor, "N N"]]:
    """Return how many rows down and how many columns to the right of each query (first axis) each key stands.

    Example:
        >>> down, right = grid_offsets((2, 3))
        >>> down[0].tolist(), right[0].tolist()  # from the place in the upper left corner
        ([0, 0, 0, 1, 1, 1], [0, 1, 2, 0, 1, 2])
    """
    rows, columns = torch.meshgrid(*(torch.arange(side) for side in grid), indexing="ij")
    return tuple(places.flatten() - places.flatten()[:, None] for places in (rows, columns))


def _small(rows: int, width: int) -> Tensor:
    return 0.02 * torch.randn(rows, width)


def _offsets(size: int, device: torch.device) -> Annotated[Tensor, "query key"]:
    """Return the table's row for each pair of places along one side: key - query, shifted to start at 0."""
    places = torch.arange(size, device=device)
    return places - places[:, None] + size - 1
