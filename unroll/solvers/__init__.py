"""How it is solved: the one loop and its trace, unrolled steps, FISTA, Anderson, flows, implicit gradients."""

from unroll.solvers.anderson import Anderson
from unroll.solvers.base import Solver, from_dict, from_plain, solvers, to_plain
from unroll.solvers.check import check_solver
from unroll.solvers.fista import FISTA
from unroll.solvers.flow import AdjointError, Flow, StiffFlowError
from unroll.solvers.implicit import Implicit
from unroll.solvers.loop import run
from unroll.solvers.solution import BackwardReport, NotConvergedError, Solution, Trace
from unroll.solvers.unrolled import Unrolled

__all__ = [
    "FISTA",
    "AdjointError",
    "Anderson",
    "BackwardReport",
    "Flow",
    "Implicit",
    "NotConvergedError",
    "Solution",
    "Solver",
    "StiffFlowError",
    "Trace",
    "Unrolled",
    "check_solver",
    "from_dict",
    "from_plain",
    "run",
    "solvers",
    "to_plain",
]
