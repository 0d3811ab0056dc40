"""Rules about a solver as a thing: settings that can be kept, and what it refuses."""

import json
from dataclasses import FrozenInstanceError, fields, replace

import torch

from unroll.contracts import Kind
from unroll.solvers.base import Solver, from_dict
from unroll.solvers.rules.base import rules, trial
from unroll.verdicts import refused


@rules.rule(
    "settings survive", "register it by name; make every setting a dataclass field that JSON knows, or a solver"
)
def settings_survive(solver: Solver) -> float:
    return float(from_dict(json.loads(json.dumps(solver.to_dict()))) != solver)


@rules.rule("frozen", "decorate it with @dataclass(frozen=True), and keep what a solve remembers out of it")
def frozen(solver: Solver) -> float:
    """Equal solvers have equal settings and hashes, a run changes none of them, and nobody else can."""
    before, again = repr(solver), replace(solver)
    with torch.no_grad():
        solver(trial(declared=_accepted(solver)))
    changed = again != solver or hash(again) != hash(solver) or repr(solver) != before
    try:
        setattr(again, fields(again)[0].name, None)
    except FrozenInstanceError:
        return float(changed)
    return 1.0


@rules.rule("kinds", "name in accepts the kinds that it can run, and let Solver.__call__ refuse the others")
def kinds(solver: Solver) -> float:
    """Run a problem of each accepted kind; the others must be refused by a message that names the kind."""
    wrong = 0.0
    for kind in Kind:
        problem = trial(declared=kind)
        if kind in solver.accepts:
            wrong += not torch.isfinite(solver(problem).value).all()
        else:
            wrong += refused(lambda problem=problem: solver(problem), f"is {problem.kind}")
    return wrong


@rules.rule("a tolerance below round-off", "call solvers.loop.check_tolerance with the dtype of the start")
def tolerance_below_round_off(solver: Solver) -> float | str:
    if getattr(solver, "tol", None) is None:
        return "it has no tolerance of its own"
    return refused(lambda: replace(solver, tol=1e-15)(trial(declared=_accepted(solver))), "tol")


def _accepted(solver: Solver) -> Kind:
    return next(kind for kind in Kind if kind in solver.accepts)
