"""Frost: photographs of it, laid over images."""

from functools import cache
from importlib.metadata import distribution

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

_GREEN = slice(1, 2)


def frost(images: Tensor, kept: float, added: float, shrink: int, generator: torch.Generator) -> Tensor:
    """Add a piece of a photograph of frost, of which only every ``shrink``-th pixel is used, to a share of the image.

    A gray image gets the green channel, which weighs most in brightness. All six photographs are drawn; the code of the
    publication never reaches the last.
    """
    height, width = images.shape[2:]
    photographs = _photographs(shrink)
    drawn = torch.randint(len(photographs), (len(images),), generator=generator).tolist()
    places = torch.rand(len(images), 2, generator=generator).tolist()
    pieces = [_piece(photographs[one], height, width, *place) for one, place in zip(drawn, places, strict=True)]
    ice = torch.stack(pieces)[:, _GREEN if images.shape[1] == 1 else slice(None)].to(images)
    return (kept * images + added * ice).clamp(0, 1)


def _piece(photograph: Tensor, height: int, width: int, down: float, right: float) -> Tensor:
    """Cut out [3, height, width]; ``down`` and ``right`` run from 0 to below 1."""
    enlarge = max(height / photograph.shape[1], width / photograph.shape[2])
    if enlarge > 1:
        size = [int(np.ceil(side * enlarge)) for side in photograph.shape[1:]]
        photograph = F.interpolate(photograph[None], size, mode="bilinear")[0]
    top = int(down * (photograph.shape[1] - height + 1))
    left = int(right * (photograph.shape[2] - width + 1))
    return photograph[:, top : top + height, left : left + width]


@cache
def _photographs(shrink: int) -> tuple[Tensor, ...]:
    """Return those that corrupt-tta brings with it, [3, height, width] each; read without importing it."""
    files = sorted(file for file in distribution("corrupt-tta").files if "frost" in file.parent.name)
    loaded = []
    for file in files:
        with Image.open(file.locate()) as image:
            pixels = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)
        # The middle of each block: what bilinear interpolation takes of a block whose side is odd.
        loaded.append(pixels[:, shrink // 2 :: shrink, shrink // 2 :: shrink].float() / 255)
    return tuple(loaded)
