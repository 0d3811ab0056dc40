"""What a swap needs to know of a foreign network: where an attention sits, what it holds, who may take its place."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, NamedTuple, Self

import torch
from torch import Tensor, nn

from unroll.attention import Attention


class Affine(NamedTuple):
    """A linear map as torch writes it: x W' + b, without b where there is none."""

    weight: Annotated[Tensor, "out in"]
    bias: Annotated[Tensor, "out"] | None

    @classmethod
    def of(cls, layer: nn.Linear) -> Self:
        """Return the map of a layer."""
        return cls(layer.weight, layer.bias)

    @classmethod
    def inside(cls, module: nn.Module, like: Self) -> Self:
        """Return the first map inside a module; where there is none (one head as wide as the model), the identity."""
        linear = next((part for part in module.modules() if isinstance(part, nn.Linear)), None)
        return cls(torch.eye(len(like.weight)).to(like.weight), None) if linear is None else cls.of(linear)

    def split(self) -> tuple[Self, Self, Self]:
        """Return the maps to queries, keys and values of one that makes them side by side."""
        biases = (None,) * 3 if self.bias is None else self.bias.chunk(3)
        return tuple(type(self)(*part) for part in zip(self.weight.chunk(3), biases, strict=True))


@dataclass(frozen=True, eq=False)
class Source:
    """What a foreign softmax attention holds, in one form; each head owns a contiguous group of an output's channels.

    Attributes:
        dim: model width C.
        heads: number of heads H.
        query, key, value, output: its four maps.
        lost: what else it does, which no attention of this library takes over.
        kept: what beside the maps stays in its place.
    """

    dim: int
    heads: int
    query: Affine
    key: Affine
    value: Affine
    output: Affine
    lost: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Site:
    """A place in a network that holds a module.

    Attributes:
        name: qualified name of the place.
        owners: the modules around it, from the network down to the one that holds it.
        module: what it held when it was found.
    """

    name: str
    owners: tuple[nn.Module, ...]
    module: nn.Module

    @property
    def occupant(self) -> nn.Module:
        """Return what the place holds now."""
        return self.owners[-1].get_submodule(self._key)

    def put(self, module: nn.Module) -> None:
        """Let the place hold another module."""
        setattr(self.owners[-1], self._key, module)

    @property
    def _key(self) -> str:
        return self.name.rpartition(".")[2]


@dataclass(frozen=True)
class Family:
    """A library whose self-attentions can be replaced. It is known by names alone, so that none need be installed.

    Attributes:
        name: of the library.
        looks_for: what it recognises, in words.
        recognises: whether a place holds such a self-attention.
        read: what that attention holds; raises ValueError, with the reason, where the network needs what we lack.
        host: our attention behind the calling convention of the one replaced.
    """

    name: str
    looks_for: str
    recognises: Callable[[Site], bool]
    read: Callable[[Site], Source]
    host: Callable[[Attention, nn.Module], nn.Module]


def losses(module: nn.Module, known: set[str], dropout: float, **ways: object) -> tuple[str, ...]:
    """Return what is lost of a module: children and parameters that are not known, ways that are set, its dropout."""
    learned = dict.fromkeys(name.partition(".")[0] for name, _ in module.named_parameters())
    lost = [name for name in learned if name not in known] + [way for way, is_set in ways.items() if is_set]
    return (*lost, f"attention dropout {dropout:g}") if dropout else tuple(lost)


def is_class(module: nn.Module, paths: frozenset[str]) -> bool:
    """Return whether a module's class is one of these, each given as path and name, without importing any."""
    return f"{type(module).__module__}.{type(module).__qualname__}" in paths
