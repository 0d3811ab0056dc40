"""Who competes for the recovery of sparse codes, and how each is made ready."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from unroll.models.lista import CodingNetwork, networks
from unroll.solvers import FISTA, Solver
from unroll.study.recovery.classical import Classical
from unroll.study.recovery.saved import Coder, load_coders, save_coders
from unroll.study.recovery.schedule import Schedule
from unroll.study.recovery.sensing import Sensing
from unroll.study.recovery.trainer import train_coder
from unroll.study.recovery.tuning import EVALUATIONS, SIGNALS, tune_hyperlista, tune_weight

Recoverer = Classical | CodingNetwork


def fista(steps: int) -> Solver:
    """Return FISTA as first published, without restart."""
    return FISTA(steps, restart=False)


@dataclass(frozen=True)
class Parent:
    """A classical solver.

    Args:
        label: what tables call it.
        solver: number of steps to solver.
        weight: lambda; None to choose it on validation signals.
    """

    label: str
    solver: Callable[[int], Solver]
    weight: float | None = None

    def make(self, sensing: Sensing, layers: int, seed: int) -> Classical:
        """Return the solver with its lambda."""
        weight = tune_weight(self.solver, sensing, layers, seed) if self.weight is None else self.weight
        return Classical(sensing.dictionary, self.solver, weight, layers)


@dataclass(frozen=True)
class Learned:
    """An unrolled network.

    Args:
        label: what tables call it.
        network: a registered name.
        options: further arguments of its constructor.
        schedule: how it is trained; None for HyperLISTA, whose three numbers are searched for.
    """

    label: str
    network: str
    options: Mapping[str, object] = field(default_factory=dict)
    schedule: Schedule | None = field(default_factory=Schedule)

    def make(self, sensing: Sensing, layers: int, seed: int, checkpoint: Path) -> Coder:
        """Return the trained network, from its checkpoint where that is complete."""
        torch.manual_seed(seed)
        network = networks[self.network](sensing.dictionary, layers, **self.options)
        if self.schedule is not None:
            return Coder(
                network, train_coder(network, sensing, self.schedule, seed, checkpoint=checkpoint, label=self.label)
            )
        if checkpoint.is_file():
            return load_coders(checkpoint)[self.label]
        coder = Coder(network, {"history": [tune_hyperlista(network, sensing, seed)]})
        save_coders(checkpoint, {self.label: coder})
        return coder

    def to_dict(self) -> dict[str, object]:
        """Return all that decides the training, as plain values."""
        searched = {"signals": SIGNALS, "evaluations": EVALUATIONS}
        schedule = searched if self.schedule is None else asdict(self.schedule)
        return {"label": self.label, "network": self.network, "options": dict(self.options), "schedule": schedule}
