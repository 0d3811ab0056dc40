"""Weights in a safetensors file, with a note of what they belong to: written in one move, read with one clear error."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from unroll.study.data import DataError
from unroll.study.files import write_aside


def write_weights(path: Path, weights: Mapping[str, Tensor], note: object, *, holds: str) -> None:
    """Write tensors, and a note of plain JSON values under the name of what the file ``holds``.

    Raises:
        OSError: when the folder cannot be written or the disk is full; what was there before stays.
    """
    # Copies, since tensors that share memory, as one that several layers hold, are refused.
    tensors = {name: tensor.detach().clone(memory_format=torch.contiguous_format) for name, tensor in weights.items()}
    content = save(tensors, metadata={holds: json.dumps(note)})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_aside(path, lambda aside: aside.write_bytes(content))


def read_weights(path: Path, *, holds: str, command: str) -> tuple[dict[str, Tensor], object]:
    """Return the tensors and the note of a file that :func:`write_weights` wrote.

    Args:
        path: of the file.
        holds: what is expected in it.
        command: that makes such a file, for the error when there is none.

    Raises:
        DataError: when the file is missing, damaged, or holds something else.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing: '{command}' makes such a file")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        if holds not in metadata:
            raise DataError(f"{path} does not say which {holds} its weights belong to")
        return load_file(path), json.loads(metadata[holds])
    except (SafetensorError, json.JSONDecodeError) as error:
        raise DataError(f"{path} cannot be read as a file of the kind {holds!r}, so it is damaged: {error}") from error


def checksum(tensors: Mapping[str, Tensor]) -> str:
    """Return a hash of tensors: their names, types, shapes and every bit of them.

    Example:
        >>> zeros = checksum({"weight": torch.zeros(2)})
        >>> zeros == checksum({"weight": torch.zeros(2)}), zeros == checksum({"weight": torch.zeros(1, 2)})
        (True, False)
    """
    total = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        total.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        total.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return total.hexdigest()[:16]
