"""The comparison of all recoverers: ISTA and FISTA, and every unrolled network, at a fixed number of layers."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from tqdm.auto import tqdm

from unroll import validate
from unroll.solvers import Unrolled
from unroll.study.recovery.evaluation import evaluate
from unroll.study.recovery.methods import Learned, Parent, fista
from unroll.study.recovery.saved import Coder
from unroll.study.recovery.schedule import Schedule
from unroll.study.recovery.sensing import Sensing, gaussian_dictionary

LAYERS, SEED = 16, 0
NOISE = {"SNR 40": 40.0, "SNR 20": 20.0, "noiseless": None}
_STAGES = Schedule("stage-wise", iterations=250, batch=64)
_LONG = Schedule(iterations=2_000)
_COUPLED = {"start": "analytic"}

METHODS = (
    Parent("ISTA, lambda 0.4", Unrolled, 0.4),
    Parent("FISTA, lambda 0.4", fista, 0.4),
    Parent("ISTA", Unrolled),
    Parent("FISTA", fista),
    Learned("learned step", "step-lista"),
    Learned("ADMM, unrolled", "admm"),
    Learned("LISTA, tied", "lista", {"tied": True}),
    Learned("LISTA", "lista"),
    Learned("LISTA-CP", "lista-cp", _COUPLED),
    Learned("LISTA-CPSS", "lista-cp", _COUPLED | {"trusted": 13.0}),
    Learned("ALISTA, no support", "alista", {"trusted": 0.0}),
    Learned("ALISTA", "alista", {}, _LONG),
    Learned("ALISTA, stage-wise", "alista", {}, _STAGES),
    Learned("ALISTA-AT", "alista", {"adaptive": True, "momentum": True}),
    Learned("NA-ALISTA", "na-alista", {}, Schedule(rate=5e-3, matrix_share=1.0)),
    Learned("HyperLISTA", "hyperlista", {}, None),
    Learned("LAMP", "lamp"),
)


def run_recovery(
    noise: Sequence[str], labels: Sequence[str], store: Path
) -> tuple[pd.DataFrame, dict[str, dict[str, Coder]]]:
    """Train what is not trained yet, judge all of it, and return a tidy table and the networks by noise and label.

    Columns: noise, method, condition, level, measure, value (see :func:`evaluate`); besides, the condition "training"
    has the parameters, the batches and the seconds.

    Raises:
        ValueError: on an unknown noise or label.
    """
    for level in noise:
        validate.choice("noise", level, NOISE)
    for label in labels:
        validate.choice("method", label, [method.label for method in METHODS])
    chosen = [(level, method) for level in noise for method in METHODS if method.label in labels]
    rows, coders = [], {level: {} for level in noise}
    for level, method in tqdm(chosen, desc="recovery", unit="method"):
        sensing = Sensing(gaussian_dictionary(250, 500, SEED), snr=NOISE[level])
        if isinstance(method, Parent):
            recoverer, training = method.make(sensing, LAYERS, SEED), {"parameters": 0, "batches": 0, "seconds": 0.0}
            training["weight"] = recoverer.weight
        else:
            coder = coders[level][method.label] = method.make(sensing, LAYERS, SEED, store / _file(level, method))
            recoverer, training = coder.network, _training(coder)
        named = {"noise": level, "method": method.label}
        rows += [named | row for row in evaluate(recoverer, sensing)]
        rows += [
            named | {"condition": "training", "level": 0, "measure": measure, "value": value}
            for measure, value in training.items()
        ]
    return pd.DataFrame(rows), coders


def _training(coder: Coder) -> Mapping[str, float]:
    history = coder.note["history"]
    return {
        "parameters": sum(parameter.numel() for parameter in coder.network.parameters()),
        "batches": sum(stage["batches"] for stage in history),
        "seconds": sum(stage["seconds"] for stage in history),
    }


def _file(noise: str, method: Learned) -> str:
    """Name a checkpoint by what decides it, so that a method whose settings change is trained anew."""
    digest = hashlib.sha256(json.dumps([noise, LAYERS, SEED, method.to_dict()], sort_keys=True).encode()).hexdigest()
    slug = f"{noise} {method.label}".lower().replace(",", "").replace(" ", "-")
    return f"{slug}-{digest[:8]}.safetensors"
