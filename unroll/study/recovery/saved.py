"""Trained unrolled networks in one file: their dictionary once, the weights of each, and all that builds them again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from unroll.models.lista import CodingNetwork, networks
from unroll.study.data import DataError
from unroll.study.weights import read_weights, write_weights

DICTIONARY = "dictionary"


@dataclass(frozen=True, eq=False)
class Coder:
    """A network, and what is to be remembered of its making (plain JSON values)."""

    network: CodingNetwork
    note: Mapping[str, object] = field(default_factory=dict)

    @property
    def parameters(self) -> int:
        """How many numbers the network has learned."""
        return sum(parameter.numel() for parameter in self.network.parameters())


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
    tensors, made = {DICTIONARY: dictionary}, {}
    for label, coder in coders.items():
        state = coder.network.state_dict()
        tensors |= {f"{label}/{name}": part for name, part in state.items() if name != DICTIONARY}
        made[label] = {"network": coder.network.to_dict(), "note": dict(coder.note)}
    write_weights(path, tensors, made, holds="coders")


def load_coders(path: Path) -> dict[str, Coder]:
    """Return what :func:`save_coders` wrote, by label.

    Raises:
        DataError: when the file is missing, damaged, not such a file, or of a network that has changed since.
    """
    tensors, made = read_weights(path, holds="coders", command="python -m unroll recover")
    dictionary = tensors.pop(DICTIONARY)
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
