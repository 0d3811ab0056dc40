"""The comparison of all recoverers: ISTA and FISTA, and every unrolled network, at a fixed number of layers."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from tqdm.auto import tqdm

from unroll import validate
from unroll.study.recovery.cases import LAYERS, SEED, cases
from unroll.study.recovery.evaluation import Row, by_layer, elsewhere
from unroll.study.recovery.methods import Learned, Parent
from unroll.study.recovery.saved import Coder
from unroll.study.recovery.sensing import SparseCodes


def run_recovery(
    chosen: Sequence[str], store: Path, labels: Sequence[str] | None = None
) -> tuple[pd.DataFrame, dict[str, dict[str, Coder]]]:
    """Train what is not trained yet, judge all of it, and return a tidy table, and the networks by case and label.

    Columns: case, method, condition, level, measure, value (see :func:`by_layer` and :func:`elsewhere`); besides, the
    condition "training" has parameters, batches and seconds, or the lambda of a classical solver.

    Args:
        chosen: names of :data:`cases`.
        store: folder of finished and half-finished networks, which are never trained twice.
        labels: methods; all of each case when None.

    Raises:
        ValueError: on an unknown case or method.
    """
    competing = [(case, method) for case in chosen for method in cases[case].methods]
    for label in labels or ():
        validate.choice("method", label, [method.label for _, method in competing])
    rows, coders = [], {case: {} for case in chosen}
    for case, method in tqdm(
        [(case, method) for case, method in competing if labels is None or method.label in labels],
        desc="recovery",
        unit="method",
    ):
        sensing = cases[case].sensing()
        if isinstance(method, Parent):
            recoverer = method.make(sensing, LAYERS, SEED)
            training = {"lambda": recoverer.weight}
        else:
            coder = method.make(sensing, LAYERS, SEED, store / checkpoint_name(case, method))
            recoverer, training = coder.network, _training(coder)
            coders[case][method.label] = coder
        judged = by_layer(recoverer, sensing)
        if isinstance(sensing, SparseCodes):
            judged += elsewhere(recoverer, sensing)
        judged += [_trained(measure, value) for measure, value in training.items()]
        rows += [{"case": case, "method": method.label} | row for row in judged]
    return pd.DataFrame(rows), coders


def checkpoint_name(case: str, method: Learned) -> str:
    """Name a checkpoint by what decides it, so that a method whose settings change is trained anew."""
    digest = hashlib.sha256(json.dumps([case, LAYERS, SEED, method.to_dict()], sort_keys=True).encode()).hexdigest()
    slug = f"{case} {method.label}".lower().replace(",", "").replace(" ", "-")
    return f"{slug}-{digest[:8]}.safetensors"


def _trained(measure: str, value: float) -> Row:
    return {"condition": "training", "level": 0, "measure": measure, "value": value}


def _training(coder: Coder) -> Mapping[str, float]:
    history = coder.note["history"]
    return {
        "parameters": coder.parameters,
        "batches": sum(stage["batches"] for stage in history),
        "seconds": sum(stage["seconds"] for stage in history),
    }
