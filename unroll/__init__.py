"""unroll: attention as an unrolled optimisation algorithm.

A token layer states a problem (``unroll.problems``), a solver runs it (``unroll.solvers``), a readout hands tokens on
(``unroll.attention``); models carry the layers (``unroll.models``) and the study compares them (``unroll.study``).
Axis letters, everywhere: B batch, H heads, N tokens, M atoms (templates), D head width, C model width.
"""

from unroll.attention import (
    Attention,
    IterativeAttention,
    RandomFeatures,
    Traits,
    check_attention,
    create,
    names,
    register,
)
from unroll.contracts import Problem
from unroll.models import MultiheadAttention, ViT, swap
from unroll.problems import L1, LCA, Hopfield, Reconstruction, Ridge, check_problem
from unroll.solvers import FISTA, Anderson, Flow, Implicit, Solution, Solver, Trace, Unrolled, check_solver
from unroll.study import Entry, compare, load

__all__ = [
    "FISTA",
    "L1",
    "LCA",
    "Anderson",
    "Attention",
    "Entry",
    "Flow",
    "Hopfield",
    "Implicit",
    "IterativeAttention",
    "MultiheadAttention",
    "Problem",
    "RandomFeatures",
    "Reconstruction",
    "Ridge",
    "Solution",
    "Solver",
    "Trace",
    "Traits",
    "Unrolled",
    "ViT",
    "check_attention",
    "check_problem",
    "check_solver",
    "compare",
    "create",
    "load",
    "names",
    "register",
    "swap",
]
