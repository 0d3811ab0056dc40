"""Streaks: every pixel a weighted mean of those that lie on a line from it."""

import math
from typing import Annotated

import torch
from torch import Tensor

from unroll.study.corruptions.axes import clamped


def streaked(
    images: Annotated[Tensor, "B C height width"], radius: float, sigma: float, degrees: Annotated[Tensor, "B"]
) -> Annotated[Tensor, "B C height width"]:
    r"""Blur each image along a line to one side.

    .. math:: y_p = \sum_{t=0}^{2 \lceil r \rceil} w_t \, x_{p + \mathrm{round}(t u)}, \qquad w_t \propto
        \exp(-t^2 / 2 \sigma^2)

    where u is the unit vector at ``degrees``, from the right turning downwards; beyond the border its pixel is
    repeated. Radius r and standard deviation sigma are in pixels.

    Source: the motion blur of ImageMagick, through which Hendrycks and Dietterich 2019 made theirs.
    """
    height, width = images.shape[2:]
    steps = torch.arange(2 * math.ceil(radius) + 1)
    weights = torch.exp(-0.5 * (steps.double() / sigma) ** 2)
    weights /= weights.sum()
    turn = degrees.double().deg2rad()[:, None]
    # Halves are rounded down.
    right, down = ((steps * part - 0.5).ceil().long()[..., None] for part in (turn.cos(), turn.sin()))
    rows, columns = clamped(torch.arange(height) + down, height), clamped(torch.arange(width) + right, width)
    pixels, total = images.flatten(2), torch.zeros_like(images).flatten(2)
    for step, weight in enumerate(weights.tolist()):
        place = (rows[:, step, :, None] * width + columns[:, step, None, :]).flatten(1)[:, None]
        total += weight * pixels.gather(2, place.expand_as(pixels))
    return total.view_as(images)
