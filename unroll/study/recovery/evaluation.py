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
from unroll.study.recovery.sensing import Sensing, gaussian_dictionary

TEST = 10_000  # signals
CHUNK = 2_500  # at a time; also what is enough where only the last error is asked for
SNRS = (10.0, 20.0, 30.0, 40.0, None)
DENSITIES = (0.05, 0.075, 0.1, 0.125, 0.15)
DRIFTS = (0.01, 0.03, 0.1)  # length of the change of a column of length 1

Row = dict[str, object]


def evaluate(recoverer: Recoverer, sensing: Sensing) -> list[Row]:
    """Return rows of (condition, level, measure, value).

    "layer" gives error (dB), share of exact zeros, precision and recall of the support after each layer; "interval" the
    95 % bootstrap interval of the last error over the test signals; "snr", "density" and "dictionary" the last error
    where these are not as in training. "dictionary" moves the columns by so much, or draws others (1); the recoverer is
    told the new dictionary, and keeps what it has learned.
    """
    codes, signals = fresh_signals(sensing)
    course = torch.cat([recoverer.course(part) for part in signals.split(CHUNK)], dim=1)
    precision, recall = support_scores(course, codes)
    measures = {
        "nmse": nmse(course, codes),
        "zeros": (course == 0).double().mean((1, 2)),
        "precision": precision,
        "recall": recall,
    }
    rows = [
        _row("layer", layer, measure, value)
        for measure, values in measures.items()
        for layer, value in enumerate(values.tolist())
    ]
    rows += [
        _row("interval", bound, "nmse", value)
        for bound, value in zip((0.025, 0.975), interval(course[-1], codes), strict=True)
    ]
    for snr in SNRS:
        level = np.inf if snr is None else snr
        rows.append(_row("snr", level, "nmse", _error(recoverer, replace(sensing, snr=snr))))
    for density in DENSITIES:
        rows.append(_row("density", density, "nmse", _error(recoverer, replace(sensing, density=density))))
    for drift, dictionary in _dictionaries(sensing.dictionary).items():
        moved = replace(sensing, dictionary=dictionary)
        rows.append(_row("dictionary", drift, "nmse", _error(recoverer.with_dictionary(dictionary), moved)))
    return rows


def fresh_signals(sensing: Sensing, count: int = TEST) -> tuple[Annotated[Tensor, "B n"], Annotated[Tensor, "B m"]]:
    """Return the codes and signals on which results are reported; nothing is chosen on them."""
    return sensing.draw(count, torch.Generator().manual_seed(2**30))


def interval(estimate: Annotated[Tensor, "B n"], truth: Annotated[Tensor, "B n"]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the error in dB over signals."""
    errors, sizes = ((part.square().sum(1)).double().numpy() for part in (estimate - truth, truth))

    def decibels(error: np.ndarray, size: np.ndarray, axis: int = -1) -> np.ndarray:
        return 10 * np.log10(error.mean(axis) / size.mean(axis))

    found = bootstrap(
        (errors, sizes), decibels, paired=True, n_resamples=999, batch=100, rng=0, method="percentile"
    ).confidence_interval
    return float(found.low), float(found.high)


@torch.no_grad()
def _error(recoverer: Recoverer, sensing: Sensing) -> float:
    codes, signals = fresh_signals(sensing, CHUNK)
    return nmse(recoverer(signals), codes).item()


def _dictionaries(dictionary: Annotated[Tensor, "m n"]) -> dict[float, Annotated[Tensor, "m n"]]:
    change = gaussian_dictionary(*dictionary.shape, seed=2**30)
    return {drift: F.normalize(dictionary + drift * change, dim=0) for drift in DRIFTS} | {1.0: change}


def _row(condition: str, level: float, measure: str, value: float) -> Row:
    return {"condition": condition, "level": level, "measure": measure, "value": value}
