"""Random images in the form of a data set, for whoever only wants to know whether a network runs."""

import torch

from unroll.study.data import Dataset, Split, load
from unroll.study.sets.folders import IMAGENET
from unroll.study.sets.official import FORMS

FORMED = {**FORMS, "imagenet": IMAGENET}  # data sets that are not shipped


def needs_fetching(name: str) -> bool:
    """Return whether the data set called ``name`` is not shipped.

    Example:
        >>> needs_fetching("cifar10"), needs_fetching("digits")
        (True, False)
    """
    return name in FORMED


def stand_in(name: str, images: int = 8) -> Dataset:
    """Return noise in the form of the data set ``name``, in splits of ``images`` each; a shipped set itself, cut short.

    Raises:
        ValueError: when no data set has that name; the nearest is suggested.

    Example:
        >>> stand_in("cifar10", images=4).told()
        'cifar10: 3 x 32 x 32 pixels, 10 classes, 4 train, 4 validation, 4 test'
    """
    form = FORMED.get(name)
    if form is None:
        data = load(name)
        return Dataset(name, *(p.first(images) for p in (data.train, data.validation, data.test)), data.classes)
    generator = torch.Generator().manual_seed(0)

    def noise() -> Split:
        pixels = torch.rand(images, form.channels, form.side, form.side, generator=generator)
        return Split(pixels, torch.randint(form.classes, (images,), generator=generator), form.patch)

    return Dataset(name, noise(), noise(), noise(), form.classes)
