"""Two photographs in grey, and patches cut from them: the natural images of the sparse-coding notebooks."""

from typing import Annotated

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from unroll import validate
from unroll.study.data import data_folder, verified

PHOTOGRAPHS = ("china", "flower")
_SHA256 = "376debeacda2342f171d64d4c9673c9370202d9051355fcbfabba980c396523b"


def photograph(name: str) -> Annotated[Tensor, "height width"]:
    """Return a grey photograph of 213 x 320 pixels, float32 from 0 to 1: "china" (a temple) or "flower".

    Raises:
        ValueError: on another name.
        DataError: when the file is missing or corrupted.

    Example:
        >>> photograph("china").shape
        torch.Size([213, 320])
    """
    validate.choice("photograph", name, PHOTOGRAPHS)
    with np.load(verified(data_folder() / "photographs.npz", _SHA256), allow_pickle=False) as archive:
        return torch.from_numpy(archive[name]).float() / 255


def patches(image: Annotated[Tensor, "height width"], side: int) -> Annotated[Tensor, "count side*side"]:
    """Return all overlapping square patches of an image, row by row, each flattened.

    Raises:
        ValueError: when the side is not between 1 and the image's smaller side.

    Example:
        >>> patches(torch.zeros(10, 12), side=8).shape
        torch.Size([15, 64])
    """
    _check_side(image.shape, side)
    return F.unfold(image[None, None], side)[0].T


def assemble(
    cut: Annotated[Tensor, "count side*side"], shape: tuple[int, int], side: int
) -> Annotated[Tensor, "height width"]:
    """Return the image whose overlapping patches these are; where patches overlap, their mean.

    Raises:
        ValueError: when the number of patches is not that of :func:`patches` for this shape.

    Example:
        >>> image = torch.rand(10, 12)
        >>> torch.allclose(assemble(patches(image, side=4), (10, 12), side=4), image)
        True
    """
    _check_side(shape, side)
    validate.shape("cut", cut, ((shape[0] - side + 1) * (shape[1] - side + 1), side * side))
    total = F.fold(cut.T[None], shape, side)
    return (total / F.fold(torch.ones_like(cut).T[None], shape, side))[0, 0]


def _check_side(shape: tuple[int, ...], side: int) -> None:
    validate.count("side", side)
    if side > min(shape):
        raise ValueError(f"side must be at most {min(shape)}, the smaller side of the image, got {side}")
