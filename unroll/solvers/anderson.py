"""Anderson acceleration: the next point is the best mixture of the last few, with a safety net."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from unroll import validate
from unroll.contracts import Kind, Problem
from unroll.solvers.base import Solver, solvers
from unroll.solvers.loop import per_sample, run
from unroll.solvers.solution import Solution


@solvers.register("anderson")
@dataclass(frozen=True)
class Anderson(Solver):
    r"""Mix the last steps so that their moves cancel; take the plain step where mixing made things worse.

    .. math::
        \alpha = \arg\min_{\sum \alpha_i = 1} \Bigl|\sum_i \alpha_i (g_i - y_i)\Bigr|^2 + \epsilon |\alpha|^2, \qquad
        y_{k+1} = \sum_i \alpha_i\, g_i, \qquad g_i = \mathrm{step}(y_i)

    over the last ``history`` points, each sample by itself. A point whose move is more than ``growth`` times that of
    the last good one (or not finite) is discarded: the sample goes on from the plain step of the good one, its history
    begun anew. A singular history is regularised away, and a bad sample harms no other.

    Args:
        steps: most calls of step, >= 0.
        tol: a sample stops at the first point whose residual is at or below it; None runs all steps.
        history: points that are mixed, >= 1.
        regularisation: epsilon, relative to the squared moves.
        growth: how much larger a move may be than the last good one, >= 1. Moves of sparse maps grow for a while
            whenever an atom comes or goes, so 1 would discard much that leads on.

    Raises:
        ValueError: on bad settings at construction; on a step-indexed problem when called.

    Source: Anderson 1965; Walker and Ni 2011, section 2; the safeguard after Zhang, O'Donoghue and Boyd 2020.

    Example:
        >>> from unroll.problems import L1, Reconstruction
        >>> problem = Reconstruction(torch.eye(2), torch.tensor([[[3.0], [0.5]]]), L1(1.0))
        >>> Anderson(steps=50)(problem).converged
        tensor([True])
    """

    steps: int = 50
    tol: float | None = 1e-4
    history: int = 5
    regularisation: float = 1e-10
    growth: float = 2.0
    accepts: ClassVar[frozenset[Kind]] = frozenset({Kind.PROXIMAL, Kind.AVERAGED, Kind.GENERAL})

    def __post_init__(self) -> None:
        validate.count("steps", self.steps, low=0)
        validate.count("history", self.history)
        validate.positive("regularisation", self.regularisation)
        validate.at_least("growth", self.growth, 1)
        if self.tol is not None:
            validate.positive("tol", self.tol)

    def run(self, problem: Problem, trace: bool) -> Solution:
        mixing = _Mixing(self.history, self.regularisation, self.growth)
        return run(problem, mixing, self.steps, tol=self.tol, trace=trace)


class _Mixing:
    """The extrapolation of one solve: the last points, and for each sample the last good one."""

    def __init__(self, history: int, regularisation: float, growth: float) -> None:
        self.history, self.regularisation, self.growth = history, regularisation, growth
        self.moves: list[Tensor] = []  # g_i - y_i, [B, n]
        self.proposals: list[Tensor] = []  # g_i, [B, n]
        self.valid: list[Tensor] = []  # whether the entry counts, [B]
        self.good: Tensor | None = None  # the plain step of the last good point
        self.size: Tensor | None = None  # the size of its move, [B]
        self.plain: Tensor | None = None  # whether a plain step led to the current point, [B]

    def __call__(self, iterate: Tensor, point: Tensor, proposal: Tensor) -> tuple[Tensor, Tensor]:
        moved = (proposal - point).flatten(1)
        size = moved.detach().norm(dim=1)
        if self.good is None:
            self.good, self.size, self.plain = proposal, size, torch.ones_like(size, dtype=torch.bool)
        # A point that a plain step led to is kept however large its move: there is nothing safer to go back to.
        kept = torch.isfinite(size) & (self.plain | (size <= self.growth * self.size))
        self.good = torch.where(per_sample(kept, proposal), proposal, self.good)
        self.size = torch.where(kept, size, self.size)
        self._remember(moved, proposal.flatten(1), kept)
        self.plain = torch.stack(self.valid).sum(0) <= 1
        mixed = self._mixture().view_as(proposal)
        return self.good, torch.where(per_sample(kept, proposal), mixed, self.good)

    def _remember(self, moved: Tensor, proposal: Tensor, kept: Tensor) -> None:
        """Add one point; where it is discarded, so is the sample's whole history."""
        self.valid = [*(valid & kept for valid in self.valid), kept][-self.history :]
        # What does not count is put to zero, so that no NaN meets the linear solve that the samples share.
        self.moves = [*self.moves, moved.masked_fill(~kept[:, None], 0)][-self.history :]
        self.proposals = [*self.proposals, proposal.masked_fill(~kept[:, None], 0)][-self.history :]

    def _mixture(self) -> Tensor:
        """Return the mixed point of each sample, [B, n]; zero where a sample has no valid history."""
        valid = torch.stack(self.valid, dim=1)
        moves = torch.stack(self.moves, dim=1)
        products = moves @ moves.mT
        # The normal equations square the condition number: half precision is not enough for them.
        products = products.to(torch.promote_types(products.dtype, torch.float32))
        both = valid[:, :, None] & valid[:, None, :]
        products = products.masked_fill(~both, 0)
        diagonal = products.diagonal(dim1=1, dim2=2)
        scale = diagonal.amax(dim=1, keepdim=True)
        scale = torch.where(scale > 0, scale, 1)
        eps = max(self.regularisation, torch.finfo(products.dtype).eps)
        ridge = torch.where(valid, eps * scale, scale)
        weights = torch.linalg.solve_ex(products + torch.diag_embed(ridge), valid.to(products)[:, :, None])[0]
        total = weights.sum(dim=1, keepdim=True)
        weights = weights / torch.where(total != 0, total, 1)
        return (weights.mT.to(moves.dtype) @ torch.stack(self.proposals, dim=1)).squeeze(1)
