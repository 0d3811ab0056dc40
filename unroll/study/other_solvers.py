"""The same trained weights under another solver: does more thinking help?"""

import copy
from collections.abc import Mapping

import pandas as pd

from unroll.attention import IterativeAttention
from unroll.models import ImageModel
from unroll.solvers import FISTA, Solver, Unrolled
from unroll.study.data import Split
from unroll.study.networks import Network
from unroll.study.robustness import spoiled
from unroll.study.training import accuracy

# Plain steps suit every setting; FISTA where there is an energy.
STEPS = (1, 2, 3, 5, 10, 20, 50)


def with_solver(model: ImageModel, solver: Solver) -> ImageModel:
    """Return a copy of a network whose iterative layers are run by ``solver``; the weights are shared.

    Raises:
        ValueError: when a layer's problem does not admit the solver, at the first call.
    """
    other = copy.copy(model)
    other._modules = dict(model._modules)
    other.blocks = copy.copy(model.blocks)
    other.blocks._modules = {}
    for name, block in model.blocks.named_children():
        rebuilt = copy.copy(block)
        rebuilt._modules = dict(block._modules)
        if isinstance(block.attention, IterativeAttention):
            rebuilt.attention = block.attention.with_solver(solver)
        other.blocks.add_module(name, rebuilt)
    return other


def solvers_for(model: ImageModel) -> dict[str, Solver]:
    """Return the solvers to try on a trained network: more and fewer steps of its own kind, and FISTA where it runs."""
    layer = model.blocks[0].attention
    if not isinstance(layer, IterativeAttention):
        return {}
    tried: dict[str, Solver] = {f"{count} plain steps": Unrolled(count) for count in STEPS}
    if getattr(layer, "settles", False):
        tried |= {f"{count} FISTA steps": FISTA(count) for count in STEPS if count >= 5}
    return tried


def under_solvers(network: Network, data: Split, solvers: Mapping[str, Solver] | None = None) -> pd.DataFrame:
    """Return accuracy (%) of a trained network run by each solver: one row a solver, condition and severity.

    Attacks are made anew for each solver, through it.
    """
    solvers = solvers_for(network.model) if solvers is None else solvers
    rows = []
    for label, solver in {"as trained": None, **solvers}.items():
        model = network.model if solver is None else with_solver(network.model, solver)
        rows.append({"solver": label, "condition": "clean", "severity": 0, "accuracy": accuracy(model, data)})
        for condition, severity, images in spoiled(model, data):
            measured = accuracy(model, images)
            rows.append({"solver": label, "condition": condition, "severity": severity, "accuracy": measured})
    return pd.DataFrame(rows)
