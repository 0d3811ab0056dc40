"""Patches of photographs, to be cleaned of noise or rebuilt from half as many measurements as pixels."""

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from unroll import validate
from unroll.problems import L1, Reconstruction, largest_eigenvalue
from unroll.solvers import FISTA
from unroll.study.photographs import patches, photograph
from unroll.study.recovery.sensing import Pairs, Sensing

SIDE, ATOMS = 8, 128
# Columns of the flower, in stripes, so that what is chosen on looks like what is learned from.
LEARNED_FROM, CHOSEN_ON = ((0, 120), (160, 280)), ((120, 160), (280, 320))
TASKS = ("denoising", "compressed sensing")


@dataclass(frozen=True, eq=False)
class Patches(Sensing):
    r"""Patches of a photograph, less their mean, seen through a measurement and noise.

    .. math:: y = \Phi v + e, \qquad v \approx D z, \qquad A = \Phi D S

    with S diagonal, so that the columns of A have length 1. The target is v; what codes x say of it is D S x.

    Args:
        atoms: D, [p, n], with columns of length 1.
        measurement: Phi, [m, p].
        noise: standard deviation of e, where patches have a standard deviation of about 1.
        learned_from: patches to learn from, [count, p].
        chosen_on: patches to choose on.
        judged_on: patches to judge on.

    Raises:
        ValueError: when the shapes do not fit together, or the noise is negative.
    """

    atoms: Annotated[Tensor, "p n"]
    measurement: Annotated[Tensor, "m p"]
    noise: float
    learned_from: Annotated[Tensor, "count p"]
    chosen_on: Annotated[Tensor, "count p"]
    judged_on: Annotated[Tensor, "count p"]

    def __post_init__(self) -> None:
        validate.at_least("noise", self.noise, 0)
        pixels = len(self.atoms)
        validate.shape("measurement", self.measurement, ("m", pixels))
        for name in ("learned_from", "chosen_on", "judged_on"):
            validate.shape(name, getattr(self, name), ("count", pixels))

    @property
    def dictionary(self) -> Annotated[Tensor, "m n"]:
        return F.normalize(self.measurement @ self.atoms, dim=0)

    def draw(self, count: int, generator: torch.Generator) -> Pairs:
        return self.see(_some(self.learned_from, count, generator), generator)

    def held_out(self, count: int, generator: torch.Generator) -> Pairs:
        return self.see(_some(self.chosen_on, count, generator), generator)

    def fresh(self, count: int, generator: torch.Generator) -> Pairs:
        return self.see(_some(self.judged_on, count, generator), generator)

    def see(self, targets: Annotated[Tensor, "B p"], generator: torch.Generator) -> Pairs:
        """Return patches, and what a measurement of them gives."""
        signals = targets @ self.measurement.T
        return targets, signals + self.noise * torch.randn(signals.shape, generator=generator).to(signals)

    def readout(self, codes: Annotated[Tensor, "... n"]) -> Annotated[Tensor, "... p"]:
        return codes @ (self.atoms / (self.measurement @ self.atoms).norm(dim=0)).T

    def to_dict(self) -> dict[str, object]:
        return {"pixels": len(self.atoms), "measurements": len(self.measurement), "noise": self.noise}


@cache
def photograph_patches(task: Literal["denoising", "compressed sensing"]) -> Patches:
    """Return one of the two tasks on 8 x 8 patches: dictionary and training from "flower", judgement on "china".

    "denoising" sees all 64 pixels, in noise whose standard deviation is a tenth of the way from black to white;
    "compressed sensing" sees 32 Gaussian measurements, in a tenth of that noise. Grey levels are divided by the
    standard deviation of the patches that are learned from.

    Raises:
        ValueError: on another task.
    """
    validate.choice("task", task, TASKS)
    unit = _stripes(LEARNED_FROM).std()
    generator = torch.Generator().manual_seed(0)
    learned_from = _stripes(LEARNED_FROM) / unit
    learned_from = learned_from[torch.randperm(len(learned_from), generator=generator)]
    measurement = torch.eye(SIDE**2)
    if task == "compressed sensing":
        measurement = torch.randn(32, SIDE**2, generator=generator) / 32**0.5
    return Patches(
        learn_dictionary(learned_from[:5_000], ATOMS, weight=1.0, rounds=40),
        measurement,
        (0.1 if task == "denoising" else 0.01) / unit.item(),
        learned_from,
        _stripes(CHOSEN_ON) / unit,
        _level(patches(photograph("china"), SIDE)) / unit,
    )


def learn_dictionary(
    signals: Annotated[Tensor, "count p"], atoms: int, *, weight: float, rounds: int
) -> Annotated[Tensor, "p n"]:
    r"""Return unit atoms that rebuild the signals sparsely, by codes and atoms in turn.

    .. math:: \min_{D, Z} \tfrac12 \|V - D Z\|_F^2 + \lambda \|Z\|_1 \quad\text{with}\quad \|d_i\|_2 = 1

    Args:
        signals: V, transposed: one signal a row.
        atoms: n; the first n signals are the start.
        weight: lambda.
        rounds: each has ten FISTA steps, from the codes of the last, and a least-squares fit of the atoms.

    Raises:
        ValueError: when there are fewer signals than atoms.

    Source: Engan et al. 1999 (method of optimal directions).
    """
    if len(signals) < validate.count("atoms", atoms):
        raise ValueError(f"signals must be at least as many as atoms, {atoms}, got {len(signals)}")
    columns, codes = signals.T, None
    dictionary = F.normalize(columns[:, :atoms], dim=0)
    ridge = 1e-2 * torch.eye(atoms).to(columns)  # keeps the fit defined when an atom is hardly used
    for _ in range(validate.count("rounds", rounds)):
        gram = dictionary.T @ dictionary
        problem = Reconstruction(
            gram, (dictionary.T @ columns)[None], L1(weight), codes, lipschitz=largest_eigenvalue(gram)
        )
        codes = FISTA(10)(problem).value
        fitted = torch.linalg.solve(codes[0] @ codes[0].T + ridge, codes[0] @ signals).T
        idle = fitted.norm(dim=0) < 1e-3
        dictionary = F.normalize(torch.where(idle, columns[:, :atoms], fitted), dim=0)
    return dictionary


def _stripes(columns: tuple[tuple[int, int], ...]) -> Annotated[Tensor, "count p"]:
    image = photograph("flower")
    return torch.cat([_level(patches(image[:, left:right], SIDE)) for left, right in columns])


def _level(cut: Annotated[Tensor, "count p"]) -> Annotated[Tensor, "count p"]:
    return cut - cut.mean(dim=1, keepdim=True)


def _some(pool: Annotated[Tensor, "count p"], count: int, generator: torch.Generator) -> Annotated[Tensor, "B p"]:
    return pool[torch.randint(len(pool), (validate.count("count", count),), generator=generator)]
