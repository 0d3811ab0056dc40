"""What every unrolled network has: a number of layers, each one step of a problem, and a way to be cut short."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Annotated, Self

import torch
from torch import Tensor, nn

from unroll import validate
from unroll.contracts import Problem
from unroll.models.lista.weights import check_dictionary
from unroll.registry import Registry
from unroll.remembering import Remembering
from unroll.solvers import Solution, Unrolled

networks: Registry[type["CodingNetwork"]] = Registry("unrolled network")


class CodingNetwork(Remembering, nn.Module, ABC):
    """An algorithm that recovers sparse codes x from y = A x + noise, stopped after K steps and learned.

    Each layer is one step of a step-indexed problem.

    Args:
        dictionary: A, [m, n]; kept with the weights, which are worth nothing beside another.
        layers: number of layers K.

    Shapes: signals [B, m] to codes [B, n].

    Raises:
        ValueError: when the dictionary is no finite matrix without blank columns, or layers is not a whole number
            above zero.

    Example:
        >>> from unroll.models.lista import LISTA
        >>> network = LISTA(torch.eye(4), layers=3)
        >>> isinstance(network, CodingNetwork), network.course(torch.randn(2, 4)).shape
        (True, torch.Size([4, 2, 4]))
    """

    def __init__(self, dictionary: Annotated[Tensor, "m n"], layers: int = 16) -> None:
        super().__init__()
        self.layers = validate.count("layers", layers)
        self.register_buffer("dictionary", check_dictionary(dictionary).detach().clone())

    @abstractmethod
    def bind(self, signals: Annotated[Tensor, "B ..."]) -> Problem:
        """Return the problem whose steps are the layers.

        Raises:
            ValueError: when the signals have the wrong shape or dtype.
        """

    def forward(self, signals: Annotated[Tensor, "B ..."], depth: int | None = None) -> Annotated[Tensor, "B ..."]:
        """Return the codes after ``depth`` layers, all of them when None.

        Raises:
            ValueError: when the signals have the wrong shape or dtype, or there are not so many layers.
        """
        return self.solve(signals, depth, trace=False).value

    def solve(self, signals: Annotated[Tensor, "B ..."], depth: int | None = None, *, trace: bool = True) -> Solution:
        """Return the codes after ``depth`` layers, and the course that they took: the same code as ``forward``."""
        problem = self.bind(signals)
        solution = Unrolled(self.check_depth(depth))(problem, trace=trace)
        return replace(solution, value=problem.decode(solution.value))

    @torch.no_grad()
    def course(self, signals: Annotated[Tensor, "B ..."], depth: int | None = None) -> Annotated[Tensor, "S B ..."]:
        """Return the codes before the first layer and after each, S = depth + 1 of them."""
        problem = self.bind(signals)
        states = [problem.start()]
        for k in range(self.check_depth(depth)):
            states.append(problem.step(states[-1], k))
        return torch.stack([problem.decode(state) for state in states])

    def layered(self) -> list[nn.Parameter]:
        """Return the parameters whose first dimension is the layer; layers share the others."""
        return []

    def check_depth(self, depth: int | None) -> int:
        """Return a number of layers that there are, all of them when None, else raise ValueError."""
        if depth is None:
            return self.layers
        if validate.count("depth", depth, low=0) > self.layers:
            raise ValueError(f"depth must be at most {self.layers}, the number of layers, got {depth}")
        return depth

    @property
    def lipschitz(self) -> Annotated[Tensor, ""]:
        """L, the largest eigenvalue of A'A: ISTA's step is 1 / L."""
        return torch.linalg.matrix_norm(self.dictionary, ord=2).square()

    def with_dictionary(self, dictionary: Annotated[Tensor, "m n"]) -> Self:
        """Return a network that has learned the same, for another dictionary of the same shape.

        What follows from the dictionary is worked out anew; what was learned stays, even where it was learned for
        another dictionary.

        Raises:
            ValueError: when the shapes of the two dictionaries differ.
        """
        validate.shape("dictionary", dictionary, tuple(self.dictionary.shape))
        other = type(self)(**{**self.settings, "dictionary": dictionary.to(self.dictionary)})
        other.load_state_dict({**self.state_dict(), "dictionary": other.dictionary})
        return other

    def to_dict(self) -> dict[str, object]:
        """Return the name and settings of this network, its dictionary aside."""
        options = {name: value for name, value in self.settings.items() if name != "dictionary"}
        return {"name": networks.name_of(type(self)), **options}

    def check_signals(self, signals: Tensor) -> Tensor:
        """Return the signals if they fit the dictionary, else raise ValueError."""
        validate.shape("signals", signals, ("B", self.dictionary.shape[0]))
        return self.check_dtype(signals)

    def check_dtype(self, signals: Tensor) -> Tensor:
        """Return the signals if they have the dtype of the dictionary, else raise ValueError."""
        if signals.dtype != self.dictionary.dtype:
            raise ValueError(
                f"signals must have the dtype of the dictionary, {self.dictionary.dtype}, got {signals.dtype}"
            )
        return signals
