"""Accelerated proximal gradient, with adaptive restart."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from unroll import validate
from unroll.contracts import Kind, Problem
from unroll.solvers.base import Solver, solvers
from unroll.solvers.loop import per_sample, run
from unroll.solvers.solution import Solution


@solvers.register("fista")
@dataclass(frozen=True)
class FISTA(Solver):
    r"""Step from a point that is carried on by momentum; drop the momentum when it points uphill.

    .. math::
        z_{k+1} = \mathrm{step}(y_k), \qquad
        t_{k+1} = \tfrac12\bigl(1 + \sqrt{1 + 4 t_k^2}\bigr), \qquad
        y_{k+1} = z_{k+1} + \frac{t_k - 1}{t_{k+1}} (z_{k+1} - z_k)

    With ``restart``, a sample for which :math:`\langle y_k - z_{k+1}, z_{k+1} - z_k \rangle > 0` starts its momentum
    anew (t = 1). Each sample has a momentum of its own.

    Args:
        steps: most steps, >= 0.
        restart: adaptive restart by the gradient's sign.
        tol: when given, a sample stops at the first point whose residual is at or below it; None runs all steps and
            leaves ``converged`` at None.

    Raises:
        ValueError: on bad settings at construction; on a problem that is not proximal when called.

    Source: Beck and Teboulle 2009, eq. 4.1 to 4.3; O'Donoghue and Candes 2015, section 3.2 (gradient scheme).

    Example:
        >>> from unroll.problems import L1, Reconstruction
        >>> problem = Reconstruction(torch.eye(2), torch.tensor([[[3.0], [0.5]]]), L1(1.0))
        >>> FISTA(steps=50, tol=1e-4)(problem).converged
        tensor([True])
    """

    steps: int = 20
    restart: bool = True
    tol: float | None = None
    accepts: ClassVar[frozenset[Kind]] = frozenset({Kind.PROXIMAL})

    def __post_init__(self) -> None:
        validate.count("steps", self.steps, low=0)
        if self.tol is not None:
            validate.positive("tol", self.tol)

    def run(self, problem: Problem, trace: bool) -> Solution:
        return run(problem, _Momentum(self.restart), self.steps, tol=self.tol, trace=trace)


class _Momentum:
    """The extrapolation of one solve: it remembers t, a number a sample (a plain number without restart)."""

    def __init__(self, restart: bool) -> None:
        self.restart = restart
        self.t: Tensor | None = None

    def __call__(self, iterate: Tensor, point: Tensor, proposal: Tensor) -> tuple[Tensor, Tensor]:
        moved = proposal - iterate
        with torch.no_grad():
            t = per_sample(iterate.new_ones(len(iterate)), iterate) if self.t is None else self.t
            following = (1 + (1 + 4 * t.square()).sqrt()) / 2
            weight = (t - 1) / following
            if self.restart:
                uphill = per_sample(((point - proposal) * moved).flatten(1).sum(1) > 0, iterate)
                weight = weight.masked_fill(uphill, 0)
                following = following.masked_fill(uphill, 1)
            self.t = following
        return proposal, proposal + weight * moved
