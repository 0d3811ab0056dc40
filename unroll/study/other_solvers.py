"""The same trained weights under another solver: does more thinking help?"""

from collections.abc import Iterable, Mapping

import pandas as pd

from unroll.attention import IterativeAttention
from unroll.models import ImageModel
from unroll.solvers import FISTA, Solver, Unrolled
from unroll.study.data import Split
from unroll.study.networks import Network
from unroll.study.rerun import judged, with_attentions
from unroll.study.robustness import STANDARD

# Plain steps suit every setting; FISTA where there is an energy.
STEPS = (1, 2, 3, 5, 10, 20, 50)


def with_solver(model: ImageModel, solver: Solver) -> ImageModel:
    """Return a copy of a network whose iterative layers are run by ``solver``; the weights are shared.

    Raises:
        ValueError: when a layer's problem does not admit the solver, at the first call.

    Example:
        >>> from unroll import ViT
        >>> model = ViT("vars-d", image_size=(8, 8), patch=4, dim=16, depth=1, heads=2)
        >>> with_solver(model, FISTA(20)).blocks[0].attention.solver.steps
        20
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


def under_solvers(
    network: Network,
    data: Split,
    solvers: Mapping[str, Solver] | None = None,
    conditions: Iterable[str] = STANDARD,
) -> pd.DataFrame:
    """Return accuracy (%) of a trained network run by each solver: one row a solver, condition and severity.

    Attacks are made anew for each solver, through it.

    Args:
        network: a trained network.
        data: clean images and their labels.
        solvers: by what the table calls them; more and fewer steps of several kinds when None.
        conditions: under which the network is judged beside clean images.

    Raises:
        ValueError: when a layer's problem does not admit a solver.

    Example:
        >>> from unroll.study import Entry, Size, build, load
        >>> digits, entry, size = load("digits"), Entry("vars-d"), Size(8, 1, 2)
        >>> network = Network(build(entry, digits, size), entry, "digits", size, seed=0)
        >>> table = under_solvers(network, digits.test.first(8), {"ten steps": Unrolled(10)})
        >>> table["solver"].unique().tolist()
        ['as trained', 'ten steps']
    """
    solvers = solvers_for(network.model) if solvers is None else solvers
    runs = {label: with_solver(network.model, solver) for label, solver in solvers.items()}
    return judged("solver", {"as trained": network.model, **runs}, data, conditions)
