"""The same trained weights under another solver: does more thinking help?"""

from collections.abc import Mapping

import pandas as pd

from unroll.attention import IterativeAttention
from unroll.models import ImageModel
from unroll.solvers import FISTA, Solver, Unrolled
from unroll.study.data import Split
from unroll.study.networks import Network
from unroll.study.rerun import judged, with_attentions

# Plain steps suit every setting; FISTA where there is an energy.
STEPS = (1, 2, 3, 5, 10, 20, 50)


def with_solver(model: ImageModel, solver: Solver) -> ImageModel:
    """Return a copy of a network whose iterative layers are run by ``solver``; the weights are shared.

    Raises:
        ValueError: when a layer's problem does not admit the solver, at the first call.
    """
    return with_attentions(
        model, lambda layer: layer.with_solver(solver) if isinstance(layer, IterativeAttention) else layer
    )


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
    runs = {label: with_solver(network.model, solver) for label, solver in solvers.items()}
    return judged("solver", {"as trained": network.model, **runs}, data)
