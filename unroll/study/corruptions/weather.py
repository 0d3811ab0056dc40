"""Weather: snow, fog and bright light; frost has a file of its own."""

import torch
from torch import Tensor

from unroll.study.corruptions.axes import enlarging, filtered
from unroll.study.corruptions.plasma import plasma
from unroll.study.corruptions.streaks import streaked


def snow(
    images: Tensor,
    mean: float,
    std: float,
    zoom: float,
    threshold: float,
    radius: float,
    sigma: float,
    kept: float,
    generator: torch.Generator,
) -> Tensor:
    """Let flakes fall over images that fade.

    Flakes are Gaussian noise of this ``mean`` and ``std``, enlarged by ``zoom``, without what is below ``threshold``,
    blurred downwards (:func:`streaked`, of this ``radius`` and ``sigma``), and laid on twice, once upside down. Of the
    image a share ``kept`` stays, the rest is brighter and gray.
    """
    count, _, height, width = images.shape
    flakes = mean + std * torch.randn(count, 1, height, width, generator=generator)
    flakes = filtered(flakes, enlarging(height, zoom), enlarging(width, zoom))
    flakes = flakes.where(flakes >= threshold, 0).clamp(0, 1)
    degrees = torch.rand(count, generator=generator).mul(90).sub(135)
    flakes = streaked(flakes, radius, sigma, degrees).to(images)
    faded = torch.maximum(images, 1.5 * _gray(images) + 0.5)
    return (kept * images + (1 - kept) * faded + flakes + flakes.rot90(2, dims=(2, 3))).clamp(0, 1)


def fog(images: Tensor, thickness: float, decay: float, generator: torch.Generator) -> Tensor:
    """Add clouds up to ``thickness``, and scale to the brightest pixel that was; ``decay``: see :func:`plasma`."""
    count, _, height, width = images.shape
    side = 1 << (max(height, width) - 1).bit_length()
    clouds = plasma(count, side, decay, generator)[:, None, :height, :width].to(images)
    brightest = images.amax(dim=(1, 2, 3), keepdim=True)
    return ((images + thickness * clouds) * brightest / (brightest + thickness)).clamp(0, 1)


def brightness(images: Tensor, more: float, generator: torch.Generator) -> Tensor:
    """Make the brightest channel of each pixel brighter, up to white, at the same hue and saturation."""
    value = images.amax(dim=1, keepdim=True)
    lit = (value + more).clamp(max=1)
    # Black has no hue: it becomes gray.
    return torch.where(value > 0, images * lit / value.where(value > 0, 1), lit)


def _gray(images: Tensor) -> Tensor:
    """Return the luminance, [B, 1, height, width]."""
    if images.shape[1] == 1:
        return images
    return torch.einsum("bchw,c->bhw", images, images.new_tensor([0.299, 0.587, 0.114]))[:, None]
