"""Folders of images, one subfolder a class."""

import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from tqdm.auto import tqdm

from unroll import validate
from unroll.study.data import DataError, Dataset, datasets
from unroll.study.sets.fetching import home
from unroll.study.sets.official import Form, Pair, assemble
from unroll.study.sets.splitting import split_by_class

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
HELD = 5  # bytes a number while a set is read: as a byte, and as float32


def image_folder(folder: Path, size: int = 224, patch: int = 16, *, name: str = "") -> Dataset:
    """Read colour images of any size from one subfolder a class, resized and centre-cropped to ``size`` x ``size``.

    With folders ``train``, ``val`` (or ``validation``) and ``test``, these are the splits. Where only ``val`` is beside
    ``train``, as in ImageNet, it is what results are reported on, so it becomes the test split. A split that is missing
    is drawn from the training images: a tenth of each class, always the same. Without ``train`` the classes lie in
    ``folder`` itself, and both are drawn from them.

    All images are decoded at the start and kept in memory as float32: 0.6 MB each at 224 x 224, so that ten thousand
    take 6 GB, and again as much where train and validation are put together. All of ImageNet does not fit.

    Args:
        folder: where the images lie; files in it that are not named as images are left alone.
        size: height and width of the images, in pixels.
        patch: side of the patches that they are cut into, a divisor of ``size``.
        name: what to call the set; the folder's name when empty.

    Raises:
        ValueError: when size is not a multiple of patch.
        DataError: when there are no images, the parts have other classes, an image is damaged, or they do not all fit
            into this machine's memory.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     for place in (Path(folder) / kind / f"{i}.png" for kind in ("cats", "dogs") for i in range(20)):
        ...         place.parent.mkdir(exist_ok=True)
        ...         Image.new("RGB", (48, 32)).save(place)
        ...     data = image_folder(Path(folder), size=16, patch=4, name="pets")
        >>> print(data.told())
        pets: 3 x 16 x 16 pixels, 2 classes, 32 train, 4 validation, 4 test
    """
    if validate.count("size", size) % validate.count("patch", patch):
        raise ValueError(f"size must be a multiple of patch = {patch}, got {size}")
    name = name or folder.name
    named = {part: folder / part for part in ("train", "val", "validation", "test") if (folder / part).is_dir()}
    held_out = named.pop("val", None) or named.pop("validation", None)
    if "train" not in named:
        parts = {"train": folder}
    else:
        parts = {"train": named["train"], "test": named.get("test", held_out)}
        parts |= {"validation": held_out} if "test" in named else {}
    listed = {part: _listed(name, path) for part, path in parts.items() if path is not None}
    classes = [each.name for each in listed["train"]]
    for part, held in listed.items():
        if [each.name for each in held] != classes:
            raise DataError(f"data set {name!r}: the classes of {parts[part]} are not those of {parts['train']}")
    _check_memory(name, sum(len(files) for held in listed.values() for files in held.values()), size)
    pairs = {part: _read(f"{name}, {part}", tuple(held.values()), size) for part, held in listed.items()}
    form = Form(3, size, len(classes), patch)
    return assemble(name, form, pairs["train"], pairs.get("test"), pairs.get("validation"))


def _listed(name: str, folder: Path) -> dict[Path, list[Path]]:
    """Return the images of each class, by its folder."""
    if not folder.is_dir():
        raise DataError(
            f"data set {name!r} is not there: {folder} must be a folder with one subfolder of images a class, which "
            "cannot be fetched: put it there, or give its folder, or in UNROLL_DATA the one above it"
        )
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    held = {each: sorted(path for path in each.rglob("*") if path.suffix.lower() in SUFFIXES) for each in classes}
    if not held or not all(held.values()):
        empty = next((each for each, files in held.items() if not files), folder)
        raise DataError(f"data set {name!r}: {empty} holds no images ({', '.join(SUFFIXES)})")
    return held


def _check_memory(name: str, count: int, size: int) -> None:
    needed, there = HELD * count * 3 * size**2, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > there:
        raise DataError(
            f"data set {name!r}: {count} images of 3 x {size} x {size} pixels take {needed / 2**30:.0f} GiB of memory, "
            f"this machine has {there / 2**30:.0f}: take fewer images or classes, or a smaller size"
        )


def _read(label: str, classes: Sequence[Sequence[Path]], size: int) -> Pair:
    """Return all images [n, 3, size, size] in bytes and their labels, in an order that mixes the classes."""
    files = [file for held in classes for file in held]
    labels = np.repeat(np.arange(len(classes)), [len(held) for held in classes])
    order = split_by_class(labels, {label: 1.0})[label]
    images = np.empty((len(files), 3, size, size), dtype=np.uint8)
    # Pillow decodes without the interpreter's lock.
    with ThreadPoolExecutor() as threads:
        decoded = threads.map(partial(read_image, size=size), (files[index] for index in order))
        for index, image in enumerate(tqdm(decoded, desc=label, total=len(files), unit="image", leave=False)):
            images[index] = image
    return images, labels[order]


def read_image(path: Path, size: int) -> np.ndarray:
    """Return an image in bytes [3, size, size], resized so that it just covers the square, and cropped to its centre.

    Raises:
        DataError: when the file is not an image, is damaged, or so large that it may be meant to fill the memory.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                fitted = ImageOps.fit(image.convert("RGB"), (size, size), Image.Resampling.BICUBIC)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"image {path} is damaged or refused: {error}") from error
    return np.asarray(fitted).transpose(2, 0, 1)


IMAGENET = Form(3, 224, 1000, 16)


@datasets.register("imagenet")
def imagenet(folder: Path | None = None) -> Dataset:
    """Read ImageNet, or a part of it in the same folders, at 224 x 224 pixels in patches of 16."""
    folder = home("imagenet") if folder is None else folder
    return image_folder(folder, IMAGENET.side, IMAGENET.patch, name="imagenet")
