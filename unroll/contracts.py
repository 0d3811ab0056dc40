"""The common currency: a fixed-point map, and what a solver may ask of it.

Problems implement :class:`Problem`; solvers consume it. Neither imports the other. Axis letters, everywhere
in this library: B batch, H heads, N tokens, M atoms (templates), D head width, C model width.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from enum import StrEnum
from typing import Annotated, Self, TypeVar

from torch import Tensor

from unroll.described import Described

Holder = TypeVar("Holder")


class Kind(StrEnum):
    """What is known of a problem's step; solvers declare the kinds that they accept."""

    PROXIMAL = "proximal"  # a proximal-gradient step of a convex energy (hence averaged)
    AVERAGED = "averaged"  # non-expansive and averaged: plain iteration converges
    GENERAL = "general"  # a stationary map, nothing more is promised
    STEP_INDEXED = "step-indexed"  # step(z, k) changes with k, as in a learned network


class Problem(Described, ABC):
    """A map ``step(state, k) -> state`` whose fixed point is the answer.

    Dimension 0 of a state is the sample; norms and maxima run over all other dimensions. A problem is frozen
    and holds no weights, only the tensors that a step needs.

    Example:
        >>> from unroll.problems import L1, Reconstruction
        >>> problem = Reconstruction(torch.eye(2), torch.tensor([[[3.0], [0.5]]]), L1(1.0))
        >>> state = problem.step(problem.start(), 0)
        >>> state.flatten().tolist(), problem.residual(state, problem.step(state, 1)).item()
        ([2.0, 0.0], 0.0)
    """

    @property
    @abstractmethod
    def kind(self) -> Kind:
        """What is known of the step."""

    @abstractmethod
    def start(self) -> Tensor:
        """Return the state from which solvers set out."""

    @abstractmethod
    def step(self, state: Tensor, k: int) -> Tensor:
        """Return the next state; ``k`` counts from 0 and is ignored by stationary maps."""

    def iterate(self, steps: int) -> Tensor:
        """Return the state after ``steps`` plain steps from the start.

        A problem that knows a faster way to the same numbers and gradients may take it.
        """
        state = self.start()
        for k in range(steps):
            state = self.step(state, k)
        return state

    @abstractmethod
    def residual(self, state: Tensor, following: Tensor) -> Annotated[Tensor, "B"]:
        """Return how far ``state`` is from a fixed point, given ``following = step(state, k)``.

        Measured in the coordinates of the code and free of the step size, so that methods with small steps do
        not seem to converge sooner. Dimensionless.
        """

    def decode(self, state: Tensor) -> Tensor:
        """Return the code that a state stands for; most states are their code."""
        return state

    def energy(self, code: Tensor) -> Annotated[Tensor, "B"] | None:
        """Return the energy that the step descends, a number a sample, or None where there is none."""
        return None

    def leaves(self) -> Self:
        """Return the same problem on detached leaf tensors, which ask for a gradient where the originals did."""
        return map_tensors(self, lambda tensor: tensor.detach().requires_grad_(tensor.requires_grad))

    def tensors(self) -> list[Tensor]:
        """Return the tensors of the problem in a fixed order: ``leaves().tensors()`` pairs with it."""
        return list(_iterate_tensors(self))


def map_tensors(holder: Holder, function: Callable[[Tensor], Tensor]) -> Holder:
    """Rebuild a dataclass with ``function`` applied to its tensors, those of nested dataclasses included."""
    changes = {}
    for name, value in _constructor_fields(holder):
        if isinstance(value, Tensor):
            changes[name] = function(value)
        elif is_dataclass(value):
            changes[name] = map_tensors(value, function)
    return replace(holder, **changes)


def _iterate_tensors(holder: object) -> Iterator[Tensor]:
    for _, value in _constructor_fields(holder):
        if isinstance(value, Tensor):
            yield value
        elif is_dataclass(value):
            yield from _iterate_tensors(value)


def _constructor_fields(holder: object) -> list[tuple[str, object]]:
    return [(field.name, getattr(holder, field.name)) for field in fields(holder) if field.init]
