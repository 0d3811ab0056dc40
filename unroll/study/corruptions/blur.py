"""Blur: out of focus, through frosted glass, in motion, and towards the viewer."""

from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from unroll.study.corruptions.axes import clamped, enlarging, filtered, mirrored, smoothing
from unroll.study.corruptions.streaks import streaked


def defocus_blur(images: Tensor, radius: float, sigma: float, generator: torch.Generator) -> Tensor:
    """Spread each pixel over a disk of ``radius``, whose edge a Gaussian of ``sigma`` softens; in pixels."""
    kernel = _disk(radius, sigma).to(images)
    margin = kernel.shape[0] // 2
    rows, columns = (mirrored(torch.arange(-margin, size + margin), size) for size in images.shape[2:])
    framed = images[..., rows[:, None], columns]
    # A disk of 21 x 21 pixels takes a fifth of the time as a product of spectra; the wrap-around is cut off.
    spectrum = torch.fft.rfft2(framed) * torch.fft.rfft2(kernel, s=framed.shape[2:])
    return torch.fft.irfft2(spectrum, s=framed.shape[2:])[..., 2 * margin :, 2 * margin :].clamp(0, 1)


def glass_blur(images: Tensor, sigma: float, reach: int, rounds: int, generator: torch.Generator) -> Tensor:
    """Smooth by a Gaussian of ``sigma``, let neighbours within ``reach`` change places, ``rounds`` times, smooth again.

    One pixel after the other changes places, so that some travel far. The code of the publication means to exchange
    two pixels, but overwrites the one by the other, which is milder at one round; this exchanges them.
    """
    rows, columns = (smoothing(size, sigma, int(4 * sigma + 0.5), clamped) for size in images.shape[2:])
    images = filtered(images, rows, columns)
    for _ in range(rounds):
        images = _exchanged(images, reach, generator)
    return filtered(images, rows, columns).clamp(0, 1)


def motion_blur(images: Tensor, radius: float, sigma: float, generator: torch.Generator) -> Tensor:
    """Blur along a line to one side, within 45 degrees of the horizontal: see :func:`streaked`."""
    degrees = torch.rand(len(images), generator=generator).mul(90).sub(45)
    return streaked(images, radius, sigma, degrees).clamp(0, 1)


def zoom_blur(images: Tensor, stop: float, step: float, generator: torch.Generator) -> Tensor:
    """Average an image with its enlargements by 1, 1 + step, and so on as long as they are below ``stop``.

    Rounding decides about the last, as it did in the publication.
    """
    factors = np.arange(1, stop, step)
    total = images.clone()
    for factor in factors:
        total += filtered(images, *(enlarging(size, factor) for size in images.shape[2:]))
    return (total / (1 + len(factors))).clamp(0, 1)


def _disk(radius: float, sigma: float) -> Annotated[Tensor, "side side"]:
    """Return the kernel of a lens, whose sum is one but for what the border cuts off."""
    # As in the publication: of 17 pixels up to a radius of 8, as wide as the disk beyond; less where all is zero.
    margin, blur = (min(8, int(radius) + 2), 1) if radius <= 8 else (int(radius), 2)
    line = torch.arange(-margin, margin + 1, dtype=torch.float64)
    disk = (line[:, None] ** 2 + line**2 <= radius**2).double()
    soft = smoothing(len(line), sigma, blur, mirrored)
    return soft @ (disk / disk.sum()) @ soft.mT


def _exchanged(images: Tensor, reach: int, generator: torch.Generator) -> Tensor:
    """Let each pixel, row by row, change places with another, drawn from those up to ``reach`` away.

    "Up to" as published: from ``reach`` pixels up or left to one less down or right. What is nearer to the border than
    ``reach`` is drawn, but does not draw.
    """
    count, _, height, width = images.shape
    rows, columns = torch.meshgrid(
        torch.arange(reach, height - reach), torch.arange(reach, width - reach), indexing="ij"
    )
    down, right = torch.randint(-reach, reach, (2, count, *rows.shape), generator=generator)
    other = ((rows + down) * width + columns + right).flatten(1)
    place = (rows * width + columns).flatten()
    # Pixels out of each other's reach can draw at once: those of a slanted line, on which a row further down lags
    # behind by as many columns as two of them share. What is near, and earlier in reading order, has then drawn.
    turn = (columns + (2 * reach + 1) * rows).flatten()
    order = turn.argsort(stable=True)
    found = torch.arange(height * width).repeat(count, 1)
    for now in order.split(turn.unique(return_counts=True)[1].tolist()):
        here, there = place[now].expand(count, -1), other[:, now]
        ours, theirs = found.gather(1, here), found.gather(1, there)
        found.scatter_(1, here, theirs).scatter_(1, there, ours)
    pixels = images.flatten(2)
    return pixels.gather(2, found[:, None].expand_as(pixels)).view_as(images)
