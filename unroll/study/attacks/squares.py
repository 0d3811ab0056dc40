"""The Square attack: random search by the network's answers alone, without a gradient."""

import torch
from torch import Tensor, nn

from unroll import validate
from unroll.study.attacks.attack import DEAR, STRENGTHS, UNIT, Attack, attacks, in_batches, margin, square_masks
from unroll.study.data import Split

# Of 10,000 queries, those after which the squares' area is halved.
MARKS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)


def square_attack(
    model: nn.Module,
    data: Split,
    epsilon: float,
    *,
    queries: int = 1000,
    area: float = 0.8,
    seed: int = 0,
    batch: int = 250,
) -> Tensor:
    """Put squares of plus or minus epsilon on an image, and keep each that brings the network nearer to an error.

    It sets out from vertical stripes. Each query moves one square, drawn anywhere, by the same amount in all its
    pixels; it stays if the margin of the best wrong logit over the true one grows. An image that fell is asked about no
    more.

    Args:
        model: images to logits; evaluated, not changed.
        data: images and their true labels.
        epsilon: change of a pixel, in pixels that run from 0 to 1.
        queries: how often the network is asked about an image.
        area: share of the image that the first square covers, above 0 and up to 1; it is halved on the way (see
            :func:`side`).
        seed: of all draws; neither the caller's random state nor the size of a batch has a say.
        batch: images at a time.

    Shapes: the images that are returned are those of ``data``, [n, channels, height, width], on the CPU.

    Raises:
        ValueError: when epsilon is below zero, area does not lie between 0 and 1, or queries or batch is no whole
            number above zero.

    Source: Andriushchenko et al. 2020; schedule and stripes as in the released max-andr/square-attack, ``attack.py``.

    Example:
        >>> from unroll.study import Entry, Size, build, load
        >>> digits = load("digits")
        >>> network = build(Entry("softmax"), digits, Size(16, 1, 2))
        >>> square_attack(network, digits.test.first(8), 0.1, queries=20).shape
        torch.Size([8, 1, 8, 8])
    """
    validate.at_least("epsilon", epsilon, 0)
    validate.positive("area", validate.share("area", area))
    validate.count("queries", queries)
    validate.count("batch", batch)
    generator = torch.Generator().manual_seed(validate.count("seed", seed, low=0))
    count, channels, height, width = data.images.shape
    stripes = _signs((count, channels, 1, width), generator)
    corners = torch.rand(queries, count, 2, generator=generator)
    signs = _signs((queries, count, channels, 1, 1), generator)

    def searched(images: Tensor, labels: Tensor, place: slice) -> Tensor:
        found = (images + epsilon * stripes[place].to(images)).clamp(0, 1)
        reached = margin(model, found, labels)
        for query in range(1, queries):
            left = (reached <= 0).nonzero().squeeze(1)
            if not len(left):
                break
            clean, best = images[left], found[left]
            pixels = side(query - 1, queries, area, height, width)
            room = torch.tensor([height - pixels + 1, width - pixels + 1]).to(images)
            tops, lefts = (corners[query, place].to(images)[left] * room).floor().unbind(dim=1)
            covered = square_masks(tops, lefts, pixels, height, width)
            moved = epsilon * signs[query, place].to(images)[left]
            tried = torch.where(covered, (clean + moved).clamp(0, 1), best)
            # A query that changes nothing would be lost.
            idle = (tried == best).flatten(1).all(dim=1)[:, None, None, None]
            tried = torch.where(idle & covered, (clean - moved).clamp(0, 1), tried)
            risen = margin(model, tried, labels[left])
            better = risen > reached[left]
            found[left] = torch.where(better[:, None, None, None], tried, best)
            reached[left] = torch.maximum(risen, reached[left])
        return torch.where((margin(model, images, labels) > reached)[:, None, None, None], images, found)

    return in_batches(model, data, batch, searched)


def side(query: int, queries: int, area: float, height: int, width: int) -> int:
    r"""Return the side of a square in pixels: :math:`\sqrt{a h w}`, the area a halved after each of ``MARKS``.

    The marks are for 10,000 queries; with fewer they come sooner.

    Example:
        >>> [side(query, 1000, 0.8, 28, 28) for query in (0, 2, 10, 900)]
        [25, 18, 13, 1]
    """
    halvings = sum(int(query / queries * 10_000) > mark for mark in MARKS)
    pixels = round((area / 2**halvings * height * width) ** 0.5)
    return min(max(pixels, 1), min(height, width) - 1)


def _signs(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return 2.0 * torch.randint(2, shape, generator=generator) - 1


attacks.register("square")(Attack(square_attack, STRENGTHS, UNIT, looked_at=DEAR, images=128))
