"""A training in one file, so that it goes on exactly where it was cut off, and never as another."""

import json
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from unroll.study.data import DataError, Split
from unroll.study.files import sweep
from unroll.study.progress import Progress
from unroll.study.recipe import Recipe
from unroll.study.weights import checksum, read_weights, write_weights


class Checkpoint:
    """The file of one training.

    Args:
        path: of the file.
        belongs: all that decides the training, as plain values.
        every: seconds that pass between two writings, at least.
    """

    def __init__(self, path: Path, belongs: Mapping[str, object], every: float) -> None:
        self.path, self.belongs, self.every = path, belongs, every
        self._written = time.perf_counter()

    @property
    def due(self) -> bool:
        """Whether the last writing is long enough ago."""
        return time.perf_counter() - self._written >= self.every

    def write(self, progress: Progress) -> None:
        """Write where a training stands, in one move.

        Raises:
            OSError: when the folder cannot be written or the disk is full; the checkpoint before stays.
        """
        tensors = progress.tensors()
        made = {"belongs": self.belongs, "checksum": checksum(tensors), "note": progress.note()}
        write_weights(self.path, tensors, made, holds="checkpoint")
        self._written = time.perf_counter()

    def restore(self, progress: Progress) -> None:
        """Take a training to where it was written last, if it was, and clear away what a killed writer left.

        Raises:
            DataError: when the file is damaged, or belongs to another training.
        """
        sweep(self.path)
        if not self.path.is_file():
            return
        tensors, made = read_weights(self.path, holds="checkpoint", command="train(..., checkpoint=...)")
        if checksum(tensors) != made["checksum"]:
            raise DataError(
                f"{self.path} is damaged: its tensors are not those that were written; remove it to start anew"
            )
        refuse_other(self.path, made["belongs"], self.belongs)
        progress.restore(tensors, made["note"])


def identity(
    model: nn.Module, data: Split, recipe: Recipe, generator: torch.Generator, held_out: Split | None
) -> dict[str, object]:
    """Return all that decides a training, up to round-off, as plain values; large things by their checksum."""
    return {
        "recipe": recipe.decisive().to_dict(),
        "network": {
            "class": type(model).__name__,
            "layers": checksum({str(model): torch.empty(0)}),
            "weights": checksum({name: torch.empty(0, *tensor.shape) for name, tensor in model.state_dict().items()}),
        },
        "data": _of_split(data),
        "held-out data": None if held_out is None else _of_split(held_out),
        "generator": checksum({"state": generator.get_state()}),
    }


def refuse_other(path: Path, there: object, here: object) -> None:
    """Raise DataError, naming what differs, when a file belongs to another training than this one.

    Example:
        >>> refuse_other(Path("a"), {"epochs": 3, "batch": 8}, {"epochs": 3, "batch": 9})
        Traceback (most recent call last):
            ...
        unroll.study.data.DataError: a belongs to another training (batch is 8 there, 9 here): remove it or name another
    """
    theirs, ours = (dict(_leaves(json.loads(json.dumps(plain)))) for plain in (there, here))
    names = [name for name in {**theirs, **ours} if theirs.get(name, ...) != ours.get(name, ...)]
    if names:
        told = [f"{name} is {theirs.get(name, 'absent')} there, {ours.get(name, 'absent')} here" for name in names]
        raise DataError(f"{path} belongs to another training ({'; '.join(told)}): remove it or name another")


def _of_split(split: Split) -> str:
    return checksum({"images": split.images, "labels": split.labels})


def _leaves(plain: object, name: str = "") -> list[tuple[str, object]]:
    """Return the values of nested mappings with their places."""
    if not isinstance(plain, Mapping):
        return [(name, plain)]
    return [leaf for key, value in plain.items() for leaf in _leaves(value, f"{name}.{key}" if name else str(key))]
