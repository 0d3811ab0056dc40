"""The base of all solvers: small frozen settings that run a problem, and the registry of their names."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import ClassVar

from unroll.contracts import Kind, Problem
from unroll.registry import Registry
from unroll.solvers.solution import Solution

solvers: Registry[type["Solver"]] = Registry("solver")


@dataclass(frozen=True)
class Solver(ABC):
    """A way to run a problem. It holds settings only, so it can be shared, compared and written to a file.

    :meth:`run` is what a solver writes, and ``accepts`` the kinds of map that it can run.

    Example:
        >>> from unroll.solvers import FISTA, Unrolled
        >>> Unrolled(5) == Unrolled(5), FISTA(20).stopped(3).steps, Unrolled(5).to_dict()
        (True, 3, {'name': 'unrolled', 'steps': 5})
    """

    accepts: ClassVar[frozenset[Kind]]

    def __call__(self, problem: Problem, trace: bool = False) -> Solution:
        """Run the problem from its start.

        Raises:
            ValueError: when the problem's kind is not among those that the solver accepts.
        """
        self.check_kind(problem.kind, f"{type(problem).__name__} with these settings")
        return self.run(problem, trace)

    @abstractmethod
    def run(self, problem: Problem, trace: bool) -> Solution:
        """Run a problem of an accepted kind."""

    def check_kind(self, kind: Kind, subject: str) -> None:
        """Raise ValueError, with the reason, when this solver cannot run a problem of this kind."""
        if kind not in self.accepts:
            needs = " or ".join(sorted(self.accepts))
            raise ValueError(
                f"{type(self).__name__} needs a map that is {needs}, but {subject} is {kind}: use Unrolled"
            )

    def stopped(self, steps: int) -> "Solver":
        """Return the same solver stopped after ``steps`` steps (of a flow: units of time), settled or not."""
        names = {field.name for field in fields(self)}
        return replace(self, steps=steps, **({"tol": None} if "tol" in names else {}))

    @property
    def independence(self) -> float:
        """How far a sample's answer, in float64, may depend on who else is in the batch."""
        return 1e-10

    def to_dict(self) -> dict[str, object]:
        """Return the settings as plain values; :func:`from_dict` makes the solver again."""
        settings = {field.name: getattr(self, field.name) for field in fields(self)}
        return {"name": solvers.name_of(type(self)), **to_plain(settings)}


def to_plain(settings: Mapping[str, object]) -> dict[str, object]:
    """Return settings with the solvers among them as plain values.

    Example:
        >>> from unroll.solvers import Unrolled
        >>> to_plain({"weight": 0.3, "solver": Unrolled(5)})
        {'weight': 0.3, 'solver': {'name': 'unrolled', 'steps': 5}}
    """
    return {name: value.to_dict() if isinstance(value, Solver) else value for name, value in settings.items()}


def from_plain(settings: Mapping[str, object]) -> dict[str, object]:
    """Return the settings that :func:`to_plain` described.

    Raises:
        ValueError: on an unknown solver name or an unknown setting.

    Example:
        >>> from_plain({"weight": 0.3, "solver": {"name": "unrolled", "steps": 5}})
        {'weight': 0.3, 'solver': Unrolled(steps=5)}
    """
    return {name: from_dict(value) if isinstance(value, Mapping) else value for name, value in settings.items()}


def from_dict(settings: Mapping[str, object]) -> Solver:
    """Make the solver that ``to_dict`` described.

    Raises:
        ValueError: on an unknown solver name or an unknown setting.

    Example:
        >>> from_dict({"name": "unrolled", "steps": 3})
        Unrolled(steps=3)
    """
    return solvers.make(from_plain(settings))
