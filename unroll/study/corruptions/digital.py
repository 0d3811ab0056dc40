"""Digital: less contrast, rubber, mosaic, and compression."""

from io import BytesIO

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from unroll.study.corruptions.axes import coarsening, doubled, filtered, smoothing


def contrast(images: Tensor, kept: float, generator: torch.Generator) -> Tensor:
    """Keep a share of what a pixel differs from the mean of its channel."""
    mean = images.mean(dim=(2, 3), keepdim=True)
    return (mean + kept * (images - mean)).clamp(0, 1)


def elastic_transform(images: Tensor, force: float, sigma: float, jolt: float, generator: torch.Generator) -> Tensor:
    """Move three points by up to ``jolt`` and the image with them, then each pixel by up to ``force``; in pixels.

    Neighbouring pixels move alike: the second moves are even random numbers, smoothed by a Gaussian of ``sigma``.
    """
    count, _, height, width = images.shape
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    centre, third = torch.tensor([width // 2, height // 2]), min(height, width) // 3
    corners = centre + third * torch.tensor([[1, 1], [1, -1], [-1, -1]])
    moved = corners + _even((count, 3, 2), generator) * jolt
    # From where a pixel goes to where it comes from: [x y 1] M.
    back = torch.linalg.solve(F.pad(moved, (0, 1), value=1.0), corners.to(moved).expand(count, -1, -1))
    places = torch.stack([columns, rows, torch.ones_like(rows)], dim=-1).to(moved)
    images = _sampled(images, torch.einsum("hwi,bio->bhwo", places, back), repeat_border=False)

    smooth = (smoothing(size, sigma, int(3 * sigma + 0.5), doubled) for size in (height, width))
    shifts = force * filtered(_even((count, 2, height, width), generator), *smooth)
    places = torch.stack([columns, rows], dim=-1) + shifts.permute(0, 2, 3, 1)
    return _sampled(images, places, repeat_border=True).clamp(0, 1)


def pixelate(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Make a mosaic of the image with a share of the pixels on either side, rounded down, for tiles."""
    return filtered(images, *(coarsening(size, int(share * size)) for size in images.shape[2:]))


def jpeg_compression(images: Tensor, quality: int, generator: torch.Generator) -> Tensor:
    """Compress images of 8 bits, and read them again."""
    pixels = images.mul(255).round().byte().permute(0, 2, 3, 1).numpy()
    # A gray image has no colours to lose: one channel says as much as three that are equal.
    read = [_reread(image.squeeze(2) if image.shape[2] == 1 else image, quality) for image in pixels]
    return torch.from_numpy(np.stack(read)).view(pixels.shape).permute(0, 3, 1, 2).to(images) / 255


def _reread(pixels: np.ndarray, quality: int) -> np.ndarray:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.array(Image.open(file))


def _even(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Return numbers between -1 and 1, all equally likely."""
    return torch.rand(shape, generator=generator, dtype=torch.float64).mul(2).sub(1)


def _sampled(images: Tensor, places: Tensor, repeat_border: bool) -> Tensor:
    """Read images at ``places``, [B, height, width, (x, y)] in pixels; beyond the border stands their mirror image.

    The mirror stands behind the border pixel, which is then repeated, or on it.
    """
    sides = torch.tensor(images.shape[:1:-1])
    normal = (2 * places + 1) / sides - 1 if repeat_border else 2 * places / (sides - 1) - 1
    return F.grid_sample(images, normal.to(images), padding_mode="reflection", align_corners=not repeat_border)
