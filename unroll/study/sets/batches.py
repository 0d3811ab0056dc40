"""The Python batches of CIFAR-10, which are pickles: read without running anything that they name.

The binary version of the set needs none of this; it is what :func:`unroll.study.fetch` fetches. This is for who already
has a folder of the other.
"""

import pickle
from pathlib import Path
from typing import Annotated

import numpy as np

from unroll.study.data import DataError


class _RefusedError(ValueError):
    """A batch asks for something that an array of bytes does not need."""


class _Dtype:
    """Stands for numpy.dtype; it only knows whether it was to be that of bytes."""

    def __init__(self, name: str | bytes, *_: object) -> None:
        self.bytes = name in ("u1", b"u1")  # Python 2 wrote names as bytes

    def __setstate__(self, _: object) -> None:
        """Byte order and alignment mean nothing to bytes."""


class _Array:
    """Stands for numpy.ndarray and for the function that starts one; only bytes in C order can be put into it."""

    def __init__(self, *_: object) -> None:
        self.values: np.ndarray | None = None

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, fortran, content = state
        if not isinstance(dtype, _Dtype) or not dtype.bytes or fortran or not isinstance(content, bytes):
            raise _RefusedError("its array is not one of bytes in C order")
        self.values = np.frombuffer(content, dtype=np.uint8).reshape(shape)


class _Latin(bytes):
    """Stands for _codecs.encode, by which Python 3 writes bytes in the old protocol."""

    def __new__(cls, text: str, codec: str) -> bytes:
        if codec != "latin1":
            raise _RefusedError(f"its bytes are in {codec!r}")
        return text.encode("latin1")


_KNOWN = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("_codecs", "encode"): _Latin,
}


class _Restricted(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> type:
        if (module, name) not in _KNOWN:
            raise _RefusedError(f"it asks for {module}.{name}, which no array of bytes needs")
        return _KNOWN[module, name]


def read_cifar_batch(path: Path) -> tuple[Annotated[np.ndarray, "n 3 32 32"], Annotated[np.ndarray, "n"]]:
    """Return images and labels, as bytes, of one batch of the Python version of CIFAR-10.

    For the few things that arrays of bytes need to name, harmless classes stand here; anything else is refused, and
    nothing of it is imported or called.

    Raises:
        DataError: when the file is damaged, names anything else, or holds no images and labels.
    """
    try:
        with path.open("rb") as file:
            batch = _Restricted(file, encoding="bytes").load()
        images, labels = batch[b"data"].values, np.array(batch[b"labels"])
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise _RefusedError("its labels are not whole numbers")
        return images.reshape(len(labels), 3, 32, 32), labels
    except _RefusedError as error:
        raise DataError(f"data file {path} is refused: {error}") from error
    except Exception as error:  # damaged bytes are read as any command of the format, and may fail as any of them can
        raise DataError(f"data file {path} is damaged: {error}") from error
