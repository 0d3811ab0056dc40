"""A recoverer on fresh test signals: layer by layer, and where the signals are not those that it knows."""

from dataclasses import replace
from typing import Annotated

import numpy as np
import torch
from scipy.stats import bootstrap
from torch import Tensor
from torch.nn import functional as F

from unroll.study.recovery.judge import nmse, support_scores
from unroll.study.recovery.methods import Recoverer
from unroll.study.recovery.sensing import Sensing, SparseCodes, gaussian_dictionary

TEST = 10_000  # signals
FRESH = 2**30 + 1  # their seed; those of 2**30 were looked at while settings could still change, and are retired
CHUNK = 2_500  # at a time; also what is enough where only the last error is asked for
SNRS = (10.0, 20.0, 30.0, 40.0, None)
DENSITIES = (0.05, 0.075, 0.1, 0.125, 0.15)
DRIFTS = (0.01, 0.03, 0.1)  # length of the change of a column of length 1

Row = dict[str, object]


def by_layer(recoverer: Recoverer, sensing: Sensing) -> list[Row]:
    """Return rows of (condition, level, measure, value) on fresh signals.

    "layer" gives after each layer the error (dB), the share of exact zeros of codes and, where the true ones are known,
    precision and recall of their support; "interval" the 95 % bootstrap interval of the last error over all signals.
    """
    targets, signals = sensing.fresh(TEST, torch.Generator().manual_seed(FRESH))
    course = torch.cat([recoverer.course(part) for part in signals.split(CHUNK)], dim=1)
    rebuilt = sensing.readout(course)
    measures = {"nmse": nmse(rebuilt, targets)}
    if course.ndim == 3:  # codes, and not the images that a convolutional network rebuilds from its own
        measures["zeros"] = (course == 0).double().mean((1, 2))
    if isinstance(sensing, SparseCodes):
        measures["precision"], measures["recall"] = support_scores(course, targets)
    rows = [
        _row("layer", layer, measure, value)
        for measure, values in measures.items()
        for layer, value in enumerate(values.tolist())
    ]
    low, high = interval(rebuilt[-1], targets)
    return [*rows, _row("interval", 0.025, "nmse", low), _row("interval", 0.975, "nmse", high)]


def elsewhere(recoverer: Recoverer, sensing: SparseCodes) -> list[Row]:
    """Return rows with the last error (dB) where signals are not those of the training.

    "snr" and "density" change what their names say; "dictionary" moves the columns by so much, or draws others (1): the
    recoverer is told the new dictionary, and keeps what it has learned.
    """
    rows = []
    for snr in SNRS:
        level = np.inf if snr is None else snr
        rows.append(_row("snr", level, "nmse", _error(recoverer, replace(sensing, snr=snr))))
    for density in DENSITIES:
        rows.append(_row("density", density, "nmse", _error(recoverer, replace(sensing, density=density))))
    for drift, dictionary in _dictionaries(sensing.dictionary).items():
        moved = replace(sensing, dictionary=dictionary)
        rows.append(_row("dictionary", drift, "nmse", _error(recoverer.with_dictionary(dictionary), moved)))
    return rows


def interval(estimate: Annotated[Tensor, "B n"], truth: Annotated[Tensor, "B n"]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the error in dB over signals."""
    errors, sizes = (part.square().flatten(1).sum(1).double().numpy() for part in (estimate - truth, truth))

    def decibels(error: np.ndarray, size: np.ndarray, axis: int = -1) -> np.ndarray:
        return 10 * np.log10(error.mean(axis) / size.mean(axis))

    found = bootstrap(
        (errors, sizes), decibels, paired=True, n_resamples=999, batch=100, rng=0, method="percentile"
    ).confidence_interval
    return float(found.low), float(found.high)


@torch.no_grad()
def _error(recoverer: Recoverer, sensing: SparseCodes) -> float:
    codes, signals = sensing.fresh(CHUNK, torch.Generator().manual_seed(FRESH))
    return nmse(recoverer(signals), codes).item()


def _dictionaries(dictionary: Annotated[Tensor, "m n"]) -> dict[float, Annotated[Tensor, "m n"]]:
    change = gaussian_dictionary(*dictionary.shape, seed=FRESH)
    return {drift: F.normalize(dictionary + drift * change, dim=0) for drift in DRIFTS} | {1.0: change}


def _row(condition: str, level: float, measure: str, value: float) -> Row:
    return {"condition": condition, "level": level, "measure": measure, "value": value}
