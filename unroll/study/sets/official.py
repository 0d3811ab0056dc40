"""Published sets of images, with their official test split and a validation split drawn from the training images."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from unroll.study.data import DataError, Dataset, Split, datasets
from unroll.study.sets.addresses import sources
from unroll.study.sets.batches import read_cifar_batch
from unroll.study.sets.fetching import home
from unroll.study.sets.formats import read_cifar_binary, read_idx
from unroll.study.sets.splitting import split_by_class

VALIDATION = 0.1  # share of each class of the official training images

Pair = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Form:
    """What the images of a set look like.

    Attributes:
        channels: 1 for grey, 3 for colour.
        side: height and width, in pixels.
        classes: number of classes.
        patch: side, in pixels, of the patches that they are cut into.
    """

    channels: int
    side: int
    classes: int
    patch: int


FORMS = {"mnist": Form(1, 28, 10, 4), "fashion-mnist": Form(1, 28, 10, 4), "cifar10": Form(3, 32, 10, 4)}


def to_split(images: np.ndarray, labels: np.ndarray, patch: int) -> Split:
    """Return a split of images [n, channels, height, width] in bytes, 0 to 255."""
    pixels = np.divide(images, 255, dtype=np.float32, order="C")
    return Split(torch.from_numpy(pixels), torch.from_numpy(labels.astype(np.int64)), patch)


def assemble(name: str, form: Form, train: Pair, test: Pair | None, validation: Pair | None = None) -> Dataset:
    """Return a set from images and labels; what is not given is drawn from ``train``, a tenth of each class for each.

    The images of ``test`` stay in their order.

    Raises:
        DataError: when images are not of the form or labels not of its classes, or train is too small to be divided.
    """
    given = {"train": train, "validation": validation, "test": test}
    for part, (images, labels) in ((part, pair) for part, pair in given.items() if pair is not None):
        if images.shape != (len(labels), form.channels, form.side, form.side):
            raise DataError(
                f"data set {name!r}: {part} must hold {len(labels)} images of {form.channels} x {form.side} x "
                f"{form.side} pixels, one a label, got {list(images.shape)}"
            )
        if not len(labels) or labels.min() < 0 or labels.max() >= form.classes:
            raise DataError(f"data set {name!r}: {part} must hold labels from 0 to {form.classes - 1}")
    images, labels = train
    drawn = [part for part, pair in given.items() if pair is None]
    parts = split_by_class(labels, {"train": 1 - VALIDATION * len(drawn), **dict.fromkeys(drawn, VALIDATION)})
    if not all(len(indices) for indices in parts.values()):
        raise DataError(f"data set {name!r}: {len(labels)} training images are too few to draw {drawn} from")
    given |= {part: (images[indices], labels[indices]) for part, indices in parts.items()}
    return Dataset(name, **{part: to_split(*pair, form.patch) for part, pair in given.items()}, classes=form.classes)


def found(name: str, folder: Path | None, *options: tuple[str, tuple[str, ...]]) -> list[Path]:
    """Return the paths of the files of the first option, a folder inside ``folder`` and what it holds, that is there.

    Raises:
        DataError: when none is, with what to do about it.
    """
    folder = home(name) if folder is None else folder
    for inside, files in options:
        paths = [folder / inside / file for file in files]
        if all(path.is_file() for path in paths):
            return paths
    fetchable = f"'python -m unroll fetch {name}' fetches them, or " if name in sources else ""
    raise DataError(
        f"data set {name!r} is not there: {folder} must hold {', '.join(options[0][1])}; {fetchable}give the folder "
        "that holds them, or in UNROLL_DATA the one above it"
    )


def read_mnist(name: str, folder: Path | None = None) -> Dataset:
    """Read MNIST, or a set that comes in the same four files, gzipped as they are fetched or not."""
    names = [f"{part}-{what}-ubyte" for part in ("train", "t10k") for what in ("images-idx3", "labels-idx1")]
    paths = found(name, folder, ("", tuple(f"{each}.gz" for each in names)), ("", tuple(names)))
    images, labels, test_images, test_labels = (read_idx(path) for path in paths)
    return assemble(name, FORMS[name], (images[:, None], labels), (test_images[:, None], test_labels))


def read_cifar10(name: str, folder: Path | None = None) -> Dataset:
    """Read CIFAR-10 in its binary version, which is what is fetched, or in its Python version."""
    batches = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
    binary = tuple(f"{batch}.bin" for batch in batches)
    places = ("", binary), ("cifar-10-batches-bin", binary), ("", batches), ("cifar-10-batches-py", batches)
    paths = found(name, folder, *places)
    *train, test = (read_cifar_binary(path) if path.suffix == ".bin" else read_cifar_batch(path) for path in paths)
    images, labels = (np.concatenate(parts) for parts in zip(*train, strict=True))
    return assemble(name, FORMS[name], (images, labels), test)


for _name, _read in (("mnist", read_mnist), ("fashion-mnist", read_mnist), ("cifar10", read_cifar10)):
    datasets.register(_name)(partial(_read, _name))
