"""Choosing a few numbers without gradients, on validation signals: a classical price, and the three of HyperLISTA."""

import time
from collections.abc import Callable

import numpy as np
import torch
from scipy.optimize import minimize

from unroll.models.lista import HyperLISTA
from unroll.solvers import Solver
from unroll.study.recovery.classical import Classical
from unroll.study.recovery.judge import nmse
from unroll.study.recovery.sensing import Sensing
from unroll.study.recovery.trainer import validation

WEIGHTS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 1.0, 1.5, 2.0, 3.0, 4.5)
EVALUATIONS = 80
# More than elsewhere, since without noise a few hard signals make most of the error.
SIGNALS = 4_000


@torch.no_grad()
def tune_weight(solver: Callable[[int], Solver], sensing: Sensing, layers: int, seed: int) -> float:
    """Return the lambda of :data:`WEIGHTS` with the least error after ``layers`` steps."""
    targets, signals = validation(sensing, seed)

    def error(weight: float) -> float:
        return nmse(sensing.readout(Classical(sensing.dictionary, solver, weight, layers)(signals)), targets).item()

    return min(WEIGHTS, key=error)


@torch.no_grad()
def tune_hyperlista(network: HyperLISTA, sensing: Sensing, seed: int) -> dict[str, float]:
    """Choose c1, c2 and c3 in place by Nelder and Mead's simplex over their logarithms.

    Returns:
        The number of evaluations, the seconds and the validation error in dB, named as for a stage of training.

    Source: Chen et al. 2021 search a grid; the simplex is scipy's.
    """
    targets, signals = validation(sensing, seed, SIGNALS)
    began = time.perf_counter()

    def error(logarithms: np.ndarray) -> float:
        network.constants.copy_(network.constants.new_tensor(np.exp(logarithms)))
        value = nmse(sensing.readout(network(signals)), targets).item()
        return value if np.isfinite(value) else 1e3

    start = network.constants.clamp_min(1e-3).log().double().numpy()
    options = {"maxfev": EVALUATIONS, "initial_simplex": start + 0.4 * np.vstack([np.zeros(3), np.eye(3)])}
    found = minimize(error, start, method="Nelder-Mead", options=options)
    return {
        "depth": network.layers,
        "batches": found.nfev,
        "nmse": error(found.x),
        "seconds": time.perf_counter() - began,
    }
