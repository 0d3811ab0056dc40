"""The adversarial patch: a few tokens of an image whose pixels are the attacker's."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unroll import validate
from unroll.study.attacks.attack import Attack, attacks, in_batches, losses_and_slope, square_masks
from unroll.study.data import Split

_EPS = 1e-30  # below it a gradient has no direction


def adversarial_patch(
    model: nn.Module,
    data: Split,
    side: int,
    *,
    steps: int = 50,
    step: float = 0.1,
    momentum: float = 0.9,
    batch: int = 250,
) -> Tensor:
    r"""Give a square of whole tokens the pixels that mislead the network most; all others stay as they are.

    .. math:: x' = (1 - m) \odot x + m \odot \delta, \qquad \delta \approx \arg\max_{0 \le \delta \le 1} \ell(f(x'), y)

    The square m lies, in each image, where free pixels could raise the linearised loss most, by
    :math:`\sum \max(g\, (1 - x), -g\, x)` with g its gradient. From the image itself on, they follow the sign of a
    running mean of gradients; what is returned is the image of the largest loss on the way.

    Args:
        model: images to logits; evaluated, not changed.
        data: images and their true labels; its ``patch`` is the side of a token in pixels.
        side: of the square, in tokens.
        steps: number of steps.
        step: by how much a pixel moves, in pixels that run from 0 to 1.
        momentum: share of the direction that is kept from step to step, 0 to 1.
        batch: images at a time.

    Shapes: the images that are returned are those of ``data``, [n, channels, height, width], on the CPU.

    Raises:
        ValueError: when the square does not fit into the image, or steps, step or batch is not above zero, or momentum
            not from 0 to 1.
        NonFiniteLossError: when the gradient is not finite.

    Source: Karmon et al. 2018 (LaVAN), on the tokens of a vision transformer Gu, Tresp and Qin 2022; momentum as in
    Dong et al. 2018. Where the square lies is our choice.

    Example:
        >>> from unroll.study import Entry, Size, build, load
        >>> digits = load("digits")
        >>> network = build(Entry("softmax"), digits, Size(16, 1, 2))
        >>> changed = adversarial_patch(network, digits.test.first(8), 1) != digits.test.images[:8]
        >>> int(changed.flatten(1).sum(1).max())  # one token of 2 x 2 pixels
        4
    """
    tokens = min(data.images.shape[-2:]) // data.patch
    if validate.count("side", side) > tokens:
        raise ValueError(f"side must be at most {tokens}, the tokens along an image's shorter side, got {side}")
    validate.count("steps", steps)
    validate.positive("step", step)
    validate.share("momentum", momentum)
    validate.count("batch", batch)

    def patched(images: Tensor, labels: Tensor, place: slice) -> Tensor:
        highest, slope = losses_and_slope(model, images, labels)
        square = _square(images, slope, side, data.patch)
        found, tried, direction = images, images, torch.zeros_like(images)
        for _ in range(steps):
            length = (slope * square).abs().sum(dim=(1, 2, 3), keepdim=True).clamp_min(_EPS)
            direction = momentum * direction + slope / length
            tried = torch.where(square, (tried + step * direction.sign()).clamp(0, 1), images)
            losses, slope = losses_and_slope(model, tried, labels)
            found = torch.where((losses > highest)[:, None, None, None], tried, found)
            highest = torch.maximum(losses, highest)
        return found

    return in_batches(model, data, batch, patched)


def _square(images: Tensor, slope: Tensor, side: int, patch: int) -> Tensor:
    """Return where the square lies, [B, 1, height, width]: where free pixels could raise the linearised loss most."""
    gain = torch.maximum(slope * (1 - images), -slope * images).sum(dim=1, keepdim=True)
    sums = F.avg_pool2d(gain, side * patch, stride=patch)
    best = sums.flatten(1).argmax(dim=1)
    columns = sums.shape[-1]
    return square_masks(patch * (best // columns), patch * (best % columns), side * patch, *images.shape[-2:])


attacks.register("adversarial patch")(
    Attack(adversarial_patch, (1, 2, 3, 4, 5), "side of the patch (tokens)", looked_at=(1, 2), images=128)
)
