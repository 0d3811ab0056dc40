"""Rules for layers that solve a problem: the problem keeps its own contract, and convergence can be asked."""

import torch
from torch import Tensor

from unroll.attention.base import Attention
from unroll.attention.iterative import IterativeAttention
from unroll.attention.rules.base import rules
from unroll.problems import check_problem
from unroll.verdicts import gap

_NOTHING = "there is no problem to solve"


@rules.rule("solve is forward", "solve the problem of bind in both, with the same solver")
def solve_is_forward(layer: Attention, x: Tensor) -> float | str:
    if not isinstance(layer, IterativeAttention):
        return _NOTHING
    problem, readout = layer.bind(x)
    tokens = readout(problem.decode(layer.solve(x).value))
    return gap(layer(x), layer.output(layer.merge_heads(tokens)))


@rules.rule("convergence can be asked", "let solve return the solver's own solution, with its trace")
def convergence_can_be_asked(layer: Attention, x: Tensor) -> float | str:
    if not isinstance(layer, IterativeAttention):
        return _NOTHING
    solution = layer.solve(x)
    flags, residual = solution.converged, solution.trace.residual
    fits = flags is None or (flags.dtype == torch.bool and flags.shape == x.shape[:1])
    return float(not fits or residual.shape[1:] != x.shape[:1] or not torch.isfinite(residual).all())


@rules.rule("its problem holds", "run check_problem(layer.bind(x)[0]): it tells more")
def its_problem_holds(layer: Attention, x: Tensor) -> float | str:
    if not isinstance(layer, IterativeAttention):
        return _NOTHING
    check_problem(layer.bind(x)[0])
    return 0.0
