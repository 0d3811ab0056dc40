"""ISTA and FISTA on the same signals: the parents that the networks are measured against."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated

import torch
from torch import Tensor

from unroll.problems import L1, Reconstruction, largest_eigenvalue
from unroll.solvers import Solver


@dataclass(frozen=True, eq=False)
class Classical:
    """A solver with its price lambda, stopped after as many steps as a network has layers.

    Args:
        dictionary: A, [m, n].
        solver: number of steps to solver, such as the class ``Unrolled`` (which is ISTA here).
        weight: lambda.
        layers: steps of a full run.
    """

    dictionary: Annotated[Tensor, "m n"]
    solver: Callable[[int], Solver]
    weight: float
    layers: int = 16

    def __call__(self, signals: Annotated[Tensor, "B m"], depth: int | None = None) -> Annotated[Tensor, "B n"]:
        """Return the codes after ``depth`` steps, all of them when None."""
        gram = self.dictionary.T @ self.dictionary
        # All signals as the columns of one sample: one large product in the place of many small ones.
        correlation = (self.dictionary.T @ signals.T)[None]
        problem = Reconstruction(gram, correlation, L1(self.weight), lipschitz=largest_eigenvalue(gram))
        return self.solver(self.layers if depth is None else depth)(problem).value[0].T

    def with_dictionary(self, dictionary: Annotated[Tensor, "m n"]) -> "Classical":
        """Return the same solver and lambda for another dictionary."""
        return replace(self, dictionary=dictionary)

    def course(self, signals: Annotated[Tensor, "B m"]) -> Annotated[Tensor, "S B n"]:
        """Return the codes before the first step and after each."""
        return torch.stack([self(signals, depth) for depth in range(self.layers + 1)])
