"""Corrupted copies of test images as they were published: MNIST-C and CIFAR-10-C."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from torch import Tensor

from unroll import validate
from unroll.registry import Registry
from unroll.study.corruptions import SEVERITIES, Condition
from unroll.study.data import DataError, Split
from unroll.study.sets.formats import read_npy
from unroll.study.sets.official import FORMS, found, to_split

COLLECTIONS = {
    "mnist-c": (
        *("shot_noise", "impulse_noise", "glass_blur", "motion_blur", "shear", "scale", "rotate", "brightness"),
        *("translate", "stripe", "fog", "spatter", "dotted_line", "zigzag", "canny_edges"),
    ),
    "cifar10-c": (
        *("gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
        *("snow", "frost", "fog", "brightness", "contrast", "elastic_transform", "pixelate", "jpeg_compression"),
        *("speckle_noise", "gaussian_blur", "spatter", "saturate"),
    ),
}


@dataclass(frozen=True)
class Published(Condition):
    """The same for every network, and ready-made: ``apply`` takes the test split of one data set and a severity.

    It has as many strengths as the copies have severities: five, or one where the publication knows no severities.
    """


published: Registry[Published] = Registry("published corruption")


def published_copy(collection: str, corruption: str, severity: int = 1, folder: Path | None = None) -> Split:
    """Return the test images of MNIST or CIFAR-10, in their order, under a corruption as it was published.

    Args:
        collection: "mnist-c" or "cifar10-c".
        corruption: as the collection calls it: "fog", "jpeg_compression".
        severity: 1 to 5; MNIST-C knows only 1.
        folder: where the collection lies; where it is fetched to when None.

    Raises:
        ValueError: when the collection, the corruption or the severity is not known.
        DataError: when the files are missing, with the command that fetches them, or damaged.

    Example:
        >>> published_copy("cifar10-c", "fog", severity=3)  # doctest: +SKIP

    Source: Hendrycks and Dietterich 2019; Mu and Gilmer 2019.
    """
    validate.choice("collection", collection, COLLECTIONS)
    validate.choice("corruption", corruption, COLLECTIONS[collection])
    severities = SEVERITIES if collection == "cifar10-c" else (1,)
    if severity not in severities:
        raise ValueError(f"severity of {collection} must be one of {severities}, got {severity!r}")
    if collection == "mnist-c":
        files = ("test_images.npy", "test_labels.npy")
        paths = found(collection, folder, *((f"{inside}{corruption}", files) for inside in ("", "mnist_c/")))
    else:
        files = (f"{corruption}.npy", "labels.npy")
        paths = found(collection, folder, *((inside, files) for inside in ("", "CIFAR-10-C")))
    images, labels = (read_npy(path) for path in paths)
    form, count = FORMS[collection.removesuffix("-c")], len(images) // len(severities)
    shape = (count * len(severities), form.side, form.side, form.channels)
    if images.shape != shape or labels.shape != shape[:1] or images.dtype != np.uint8:
        raise DataError(f"data file {paths[0]} must hold bytes {list(shape)}, got {images.dtype}{list(images.shape)}")
    part = slice(count * (severity - 1), count * severity)
    return to_split(images[part].transpose(0, 3, 1, 2), labels[part], form.patch)


def _of(data: Split, severity: int, collection: str, corruption: str) -> Tensor:
    """Return the published copies of the first images of a test split, as many as ``data`` has.

    Raises:
        ValueError: when ``data`` is not that test split or its beginning.
    """
    copies = published_copy(collection, corruption, severity).first(len(data))
    if copies.images.shape != data.images.shape or not copies.labels.equal(data.labels):
        raise ValueError(
            f"{corruption} of {collection} was made of the test split of {collection.removesuffix('-c')!r}, got "
            f"{len(data)} other images"
        )
    return copies.images


for _collection, _corruptions in COLLECTIONS.items():
    _strengths = SEVERITIES if _collection == "cifar10-c" else (1,)
    for _name in _corruptions:
        _copies = partial(_of, collection=_collection, corruption=_name)
        published.register(f"{_collection} {_name}")(Published(_copies, _strengths, "severity, as published"))
