"""AutoAttack, the standard ensemble without settings, where torchattacks is installed."""

from importlib.util import find_spec

import torch
from torch import Tensor, nn

from unroll import validate
from unroll.study.attacks.attack import DEAR, STRENGTHS, UNIT, Attack, attacks, in_batches
from unroll.study.data import Split

INSTALLED = find_spec("torchattacks") is not None


def autoattack(model: nn.Module, data: Split, epsilon: float, *, seed: int = 0, batch: int = 250) -> Tensor:
    """Try four attacks in turn, each on the images that withstood the ones before: AutoAttack, L-infinity, standard.

    They are APGD on the cross-entropy, targeted APGD, targeted FAB, and Square with 5,000 queries. In the registry,
    as "autoattack", it stands only where torchattacks is installed.

    Args:
        model: images to logits; evaluated, not changed.
        data: images and their true labels.
        epsilon: largest change of a pixel, in pixels that run from 0 to 1.
        seed: of all draws, which also depend on the batch; the caller's random state is left alone.
        batch: images at a time.

    Shapes: the images that are returned are those of ``data``, [n, channels, height, width], on the CPU.

    Raises:
        ImportError: when torchattacks is not installed; the message says how to get it.
        ValueError: when epsilon is below zero, or batch is no whole number above zero.

    Source: Croce and Hein 2020.

    Example:
        >>> from unroll.study import Entry, Size, build, load
        >>> digits = load("digits")
        >>> model = build(Entry("softmax"), digits, Size(16, 1, 2))
        >>> autoattack(model, digits.test.first(8), epsilon=0.03).shape  # doctest: +SKIP
        torch.Size([8, 1, 8, 8])
    """
    validate.at_least("epsilon", epsilon, 0)
    validate.count("seed", seed, low=0)
    validate.count("batch", batch)
    if not INSTALLED:
        raise ImportError(
            "autoattack needs torchattacks, which is not installed: 'python -m pip install --no-deps torchattacks' "
            "(its dependencies would replace PyTorch, and this attack needs none of them)"
        )
    from torchattacks import AutoAttack

    def attacked(images: Tensor, labels: Tensor, place: slice) -> Tensor:
        with torch.no_grad():
            classes = model(images[:1]).shape[-1]
        return AutoAttack(model, norm="Linf", eps=epsilon, n_classes=classes, seed=seed)(images, labels)

    with torch.random.fork_rng():
        return in_batches(model, data, batch, attacked)


if INSTALLED:
    attacks.register("autoattack")(Attack(autoattack, STRENGTHS, UNIT, looked_at=DEAR, images=128))
