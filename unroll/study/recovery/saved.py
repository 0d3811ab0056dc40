"""Trained unrolled networks in one file: their dictionary once, the weights of each, and all that builds them again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from unroll.models.lista import CodingNetwork, networks
from unroll.study.data import DataError
from unroll.study.files import write_aside

DICTIONARY = "dictionary"


@dataclass(frozen=True, eq=False)
class Coder:
    """A network, and what is to be remembered of its making (plain JSON values)."""

    network: CodingNetwork
    note: Mapping[str, object] = field(default_factory=dict)


def save_coders(path: Path, coders: Mapping[str, Coder]) -> None:
    """Write networks that share a dictionary to one safetensors file, in one move.

    Raises:
        ValueError: when there are none, or their dictionaries differ.
    """
    if not coders:
        raise ValueError("coders must not be empty")
    dictionary, *others = (coder.network.dictionary for coder in coders.values())
    if not all(torch.equal(dictionary, other) for other in others):
        raise ValueError("coders must share one dictionary, got several")
    tensors, made = {DICTIONARY: dictionary.contiguous()}, {}
    for label, coder in coders.items():
        state = coder.network.state_dict()
        tensors |= {f"{label}/{name}": part.contiguous() for name, part in state.items() if name != DICTIONARY}
        made[label] = {"network": coder.network.to_dict(), "note": dict(coder.note)}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_aside(path, lambda aside: save_file(tensors, aside, metadata={"coders": json.dumps(made)}))


def load_coders(path: Path) -> dict[str, Coder]:
    """Return what :func:`save_coders` wrote, by label.

    Raises:
        DataError: when the file is missing, damaged, not such a file, or of a network that has changed since.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing: 'python -m unroll recover' makes such files")
    try:
        with safe_open(path, framework="pt") as file:
            made = json.loads((file.metadata() or {})["coders"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
        dictionary = tensors.pop(DICTIONARY)
    except KeyError as error:
        raise DataError(f"{path} holds no unrolled networks: it has no {error}") from error
    except (SafetensorError, json.JSONDecodeError) as error:
        raise DataError(f"{path} cannot be read as unrolled networks, so it is damaged: {error}") from error
    return {label: _build(path, label, one, dictionary, tensors) for label, one in made.items()}


def _build(
    path: Path, label: str, made: dict[str, dict], dictionary: torch.Tensor, tensors: dict[str, torch.Tensor]
) -> Coder:
    options = dict(made["network"])
    network = networks[options.pop("name")](dictionary, **options)
    prefix = f"{label}/"
    state = {name.removeprefix(prefix): part for name, part in tensors.items() if name.startswith(prefix)}
    try:
        network.load_state_dict({DICTIONARY: dictionary, **state})
    except RuntimeError as error:
        raise DataError(f"the weights of {label!r} in {path} do not fit the network as it is built now") from error
    return Coder(network, made["note"])
