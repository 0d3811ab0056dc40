"""How it is solved: the one loop and its trace, unrolled steps, FISTA, Anderson."""

from unroll.solvers.anderson import Anderson
from unroll.solvers.base import Solver, from_dict, solvers
from unroll.solvers.fista import FISTA
from unroll.solvers.solution import NotConvergedError, Solution, Trace
from unroll.solvers.unrolled import Unrolled

__all__ = ["FISTA", "Anderson", "NotConvergedError", "Solution", "Solver", "Trace", "Unrolled", "from_dict", "solvers"]
