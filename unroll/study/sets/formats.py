"""The files that published sets of images come in: IDX, the binary batches of CIFAR, NumPy's arrays."""

import gzip
import math
import zlib
from pathlib import Path
from typing import Annotated

import numpy as np

from unroll.study.data import DataError

ONE_AXIS, THREE_AXES = bytes((0, 0, 8, 1)), bytes((0, 0, 8, 3))  # how IDX files of unsigned bytes begin
RECORD = 1 + 3 * 32 * 32  # a label and the three planes of an image of CIFAR-10


def read_idx(path: Path) -> np.ndarray:
    """Return the bytes of an IDX file, which may be gzipped, as an array of the shape that its head tells.

    Raises:
        DataError: when the file is truncated, too long, not an IDX file, or of anything but bytes.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            head = file.read(4)
            if head not in (ONE_AXIS, THREE_AXES):
                raise DataError(f"data file {path} is damaged: not an IDX file of bytes in one dimension or three")
            sizes = file.read(4 * head[3])
            if len(sizes) < 4 * head[3]:
                raise EOFError("it ends within its head")
            shape = tuple(np.frombuffer(sizes, dtype=">u4").tolist())
            content = file.read(math.prod(shape) + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"data file {path} is damaged: {error}") from error
    if len(content) != math.prod(shape):
        more = "more" if len(content) > math.prod(shape) else len(content)
        raise DataError(f"data file {path} is damaged: its head tells of {math.prod(shape)} bytes, it holds {more}")
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)


def read_cifar_binary(path: Path) -> tuple[Annotated[np.ndarray, "n 3 32 32"], Annotated[np.ndarray, "n"]]:
    """Return images and labels, as bytes, of one batch of the binary version of CIFAR-10.

    Raises:
        DataError: when the file is not made of whole records, or holds a label above 9.
    """
    content = np.fromfile(path, dtype=np.uint8)
    if not len(content) or len(content) % RECORD:
        raise DataError(f"data file {path} is damaged: expected records of {RECORD} bytes, got {len(content)} bytes")
    records = content.reshape(-1, RECORD)
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0]


def read_npy(path: Path) -> np.ndarray:
    """Return an array of integers that stays on disk until it is looked at.

    Raises:
        DataError: when the file is truncated, is not one of NumPy's, or holds anything but whole numbers: of objects,
            which could run code, nothing is read.
    """
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise DataError(f"data file {path} is damaged: {error}") from error
    if array.dtype.kind not in "iu":
        raise DataError(f"data file {path} must hold whole numbers, got {array.dtype}")
    return array
