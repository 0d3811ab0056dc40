"""Gradients of a fixed point from the implicit function theorem, whatever solver found it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import torch
from torch import Tensor

from unroll.contracts import Kind, Problem
from unroll.solvers.anderson import Anderson
from unroll.solvers.attach import attach
from unroll.solvers.base import Solver, solvers
from unroll.solvers.solution import BackwardReport, Solution


@solvers.register("implicit")
@dataclass(frozen=True)
class Implicit(Solver):
    r"""Solve without a graph, then differentiate the fixed point itself.

    .. math::
        z^\star = \mathrm{step}(z^\star; \theta) \;\Rightarrow\;
        \frac{d\ell}{d\theta} = v^\top \frac{\partial\, \mathrm{step}}{\partial \theta}, \qquad
        v = \frac{\partial \ell}{\partial z^\star} + \Bigl(\frac{\partial\, \mathrm{step}}{\partial z}\Bigr)^{\!\top} v

    One step at the solution carries the graph, so memory does not grow with the steps of the solver. The system for v
    is a fixed-point problem of its own and is solved by ``backward``; when it does not reach its tolerance it warns as
    any solver does. The gradient is exact at a fixed point and wrong away from one: give the solver a tolerance. A
    second derivative is refused.

    Args:
        solver: finds the fixed point.
        backward: solves the system for v, to its own tolerance.

    Raises:
        ValueError: on a step-indexed problem, or one that the solver refuses.

    Source: Bai, Kolter and Koltun 2019 (deep equilibrium models), theorem 1.

    Example:
        >>> from unroll.problems import L1, Reconstruction
        >>> c = torch.tensor([[[3.0], [0.5]]], requires_grad=True)
        >>> Implicit(Anderson(50))(Reconstruction(torch.eye(2), c, L1(1.0))).value.sum().backward()
        >>> c.grad.flatten()
        tensor([1., 0.])
    """

    solver: Solver = field(default_factory=Anderson)
    backward: Anderson = field(default_factory=lambda: Anderson(steps=200, tol=1e-4, history=20))

    def __post_init__(self) -> None:
        for name in ("solver", "backward"):
            if not isinstance(getattr(self, name), Solver):
                raise ValueError(f"{name} must be a Solver such as Anderson(), got {getattr(self, name)!r}")

    @property
    def accepts(self) -> frozenset[Kind]:
        """What the solver inside accepts, but for step-indexed maps: these have no fixed point."""
        return self.solver.accepts - {Kind.STEP_INDEXED}

    def check_kind(self, kind: Kind, subject: str) -> None:
        super().check_kind(kind, subject) if kind is Kind.STEP_INDEXED else self.solver.check_kind(kind, subject)

    def stopped(self, steps: int) -> Solver:
        """Return the solver inside, stopped: short of the fixed point there is no implicit gradient."""
        return self.solver.stopped(steps)

    @property
    def independence(self) -> float:
        return self.solver.independence

    def run(self, problem: Problem, trace: bool) -> Solution:
        with torch.no_grad():
            solution = self.solver(problem, trace)
        if not torch.is_grad_enabled():
            return solution
        state, report = solution.value.detach(), BackwardReport()

        def pull(upstream: Tensor, leaves: Problem, asking: Sequence[Tensor]) -> Sequence[Tensor | None]:
            with torch.enable_grad():
                z = state.clone().requires_grad_()
                following = leaves.step(z, 0)
            system = _Adjoint(following, z, upstream)
            report.solution = self.backward(system, trace)
            return torch.autograd.grad(following, asking, report.solution.value, allow_unused=True)

        value = attach(state, problem, pull)
        return Solution(value, solution.converged, solution.trace, report)


@dataclass(frozen=True, eq=False)
class _Adjoint(Problem):
    """The linear system v = g + J'v, where J is the derivative of the step at the solution."""

    following: Tensor
    z: Tensor
    upstream: Tensor

    @property
    def kind(self) -> Kind:
        return Kind.GENERAL

    def start(self) -> Tensor:
        return self.upstream

    def step(self, state: Tensor, k: int) -> Tensor:
        return self.upstream + torch.autograd.grad(self.following, self.z, state, retain_graph=True)[0]

    def residual(self, state: Tensor, following: Tensor) -> Annotated[Tensor, "B"]:
        size = self.upstream.flatten(1).norm(dim=1).clamp_min(torch.finfo(state.dtype).tiny)
        return (following - state).flatten(1).norm(dim=1) / size
