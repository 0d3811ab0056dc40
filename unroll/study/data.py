"""Data sets by name: verified, split once and for all, as tensors in memory."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from unroll.described import Described
from unroll.registry import Registry


class DataError(RuntimeError):
    """A data file is missing, is not the file it should be, or holds numbers that make no sense."""


@dataclass(frozen=True, eq=False)
class Split(Described):
    """Images [n, channels, height, width], float32 from 0 to 1, and their labels [n], int64.

    ``patch`` is the side, in pixels, of the square patches that images of this size are cut into.

    Example:
        >>> load("digits").test.first(8)
        Split(images=float32[8, 1, 8, 8], labels=int64[8], patch=2)
    """

    images: Annotated[Tensor, "n channels height width"]
    labels: Annotated[Tensor, "n"]
    patch: int

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int) -> "Split":
        """Return the first ``count`` samples."""
        return replace(self, images=self.images[:count], labels=self.labels[:count])


@dataclass(frozen=True, eq=False)
class Dataset(Described):
    """A data set with its three splits.

    Settings are chosen by training on ``train`` and looking at ``validation``; results are reported after training on
    ``development`` (both) and looking at ``test`` once.

    Example:
        >>> print(load("digits").told())
        digits: 1 x 8 x 8 pixels, 10 classes, 1078 train, 269 validation, 450 test
    """

    name: str
    train: Split
    validation: Split
    test: Split
    classes: int

    @property
    def development(self) -> Split:
        """Train and validation together."""
        parts = (self.train, self.validation)
        images, labels = torch.cat([part.images for part in parts]), torch.cat([part.labels for part in parts])
        return replace(self.train, images=images, labels=labels)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        return tuple(self.train.images.shape[1:])

    def told(self) -> str:
        """Return in a line what the set holds."""
        channels, height, width = self.image_shape
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        sizes = ", ".join(f"{len(part)} {name}" for name, part in parts.items())
        return f"{self.name}: {channels} x {height} x {width} pixels, {self.classes} classes, {sizes}"

    @property
    def pixel_mean(self) -> float:
        """Mean of the training pixels."""
        return self.train.images.mean().item()

    @property
    def pixel_std(self) -> float:
        """Standard deviation of the training pixels."""
        return self.train.images.std().item()


datasets: Registry[Callable[..., Dataset]] = Registry("data set")


def load(name: str, folder: Path | None = None) -> Dataset:
    """Return the data set called ``name``. Nothing is ever fetched by this: :func:`unroll.study.fetch` does that.

    Args:
        name: of a registered data set.
        folder: where its files lie; where they are shipped or fetched to when None.

    Raises:
        ValueError: when no data set has that name; the nearest is suggested.
        DataError: when its files are missing, with the command that fetches them; when they are damaged, do not match
            their checksum, or hold NaN or infinity.

    Example:
        >>> load("mnist5k").test.images.shape
        torch.Size([1000, 1, 28, 28])
    """
    dataset = datasets[name]() if folder is None else datasets[name](folder=folder)
    for part in (dataset.train, dataset.validation, dataset.test):
        check_finite(name, part.images)
    return dataset


def check_finite(name: str, images: Tensor) -> None:
    """Raise DataError, naming the first bad sample, when any pixel is NaN or infinite."""
    # A thousand at a time, since isfinite makes another copy of what it looks at.
    bad = torch.cat([~torch.isfinite(part).flatten(1).all(dim=1) for part in images.split(1000)])
    if bad.any():
        first = int(bad.nonzero()[0])
        raise DataError(f"data set {name!r}: {int(bad.sum())} images hold NaN or infinity, the first is number {first}")


@datasets.register("mnist5k")
def mnist5k(folder: Path | None = None) -> Dataset:
    """Return 5,000 MNIST digits of 28 x 28: 3,500 train, 500 validation, 1,000 test, the classes equally often."""
    checksum = "866c5bfd11faa73bd98c921c782ae76f0ce841e8521a65daf47b74f65bbb9692"
    return read_archive("mnist5k", patch=4, checksum=checksum, folder=folder)


@datasets.register("digits")
def digits(folder: Path | None = None) -> Dataset:
    """Return scikit-learn's 1,797 digits of 8 x 8: 1,078 train, 269 validation, 450 test."""
    checksum = "aa60109e6424e56000a37070f5e20476aa7c883c82c6886eb062893bf67d2428"
    return read_archive("digits", patch=2, checksum=checksum, folder=folder)


def read_archive(name: str, *, patch: int, checksum: str, folder: Path | None = None) -> Dataset:
    """Read ``name``.npz, as ``data/make.py`` writes it, after holding it against its sha256.

    Raises:
        DataError: when the file is missing or its checksum differs.
    """
    path = verified((folder or data_folder()) / f"{name}.npz", checksum)
    with np.load(path, allow_pickle=False) as archive:
        images = torch.from_numpy(archive["images"]).float().div(255).unsqueeze(1)
        labels = torch.from_numpy(archive["labels"]).long()
        train, validation, test = (
            Split(images[archive[part]], labels[archive[part]], patch) for part in ("train", "validation", "test")
        )
    return Dataset(name, train, validation, test, classes=int(labels.max()) + 1)


def verified(path: Path, checksum: str) -> Path:
    """Return the path of a file that is there and has this sha256.

    Raises:
        DataError: when the file is missing or its checksum differs.
    """
    if not path.is_file():
        raise DataError(f"data file {path} is missing: restore it with 'git checkout data' or as data/README.md says")
    found = sha256(path.read_bytes()).hexdigest()
    if found != checksum:
        raise DataError(
            f"data file {path} is corrupted: expected sha256 {checksum[:12]}..., got {found[:12]}...; "
            "restore it with 'git checkout data' or as data/README.md says"
        )
    return path


def data_folder() -> Path:
    """Return where the shipped data lies: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "_data"
    return installed if installed.is_dir() else package.parent / "data"
