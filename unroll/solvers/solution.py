"""What a solver hands back: the answer, whether it converged, and the trace of how it got there."""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from unroll.described import Described


class NotConvergedError(RuntimeError):
    """A solver stopped before it reached its tolerance, or met a number that is not finite."""


@dataclass(frozen=True, eq=False)
class Trace(Described):
    """The course of a solve, measured at S iterates, the start included; detached, no padding.

    Attributes:
        nfe: calls of ``step`` that the solver had made; the calls made to measure are not counted.
        time: seconds the solver had spent, measuring excluded.
        residual: the problem's residual of each sample (dimensionless).
        energy: the problem's energy of each sample, or None where the problem has none.
        sparsity: share of exact zeros in the code of each sample, 0 to 1.
        flow_time: of a flow, the time reached, in units of its time constant; None for other solvers.
        accepted: of an adaptive flow, steps accepted so far.
        rejected: of an adaptive flow, steps rejected so far.

    Example:
        >>> from unroll import L1, Reconstruction, Unrolled
        >>> problem = Reconstruction(torch.eye(2), torch.tensor([[[3.0], [0.5]]]), L1(1.0))
        >>> trace = Unrolled(2)(problem, trace=True).trace
        >>> trace.nfe.tolist(), trace.sparsity.flatten().tolist()
        ([0, 1, 2], [1.0, 0.5, 0.5])
    """

    nfe: Annotated[Tensor, "S"]
    time: Annotated[Tensor, "S"]
    residual: Annotated[Tensor, "S B"]
    energy: Annotated[Tensor, "S B"] | None
    sparsity: Annotated[Tensor, "S B"]
    flow_time: Annotated[Tensor, "S"] | None = None
    accepted: Annotated[Tensor, "S"] | None = None
    rejected: Annotated[Tensor, "S"] | None = None


@dataclass(eq=False)
class BackwardReport(Described):
    """How the system behind implicit gradients was solved; empty until the backward pass has run.

    Example:
        >>> from unroll import L1, FISTA, Implicit, Reconstruction
        >>> drive = torch.tensor([[[3.0], [0.5]]], requires_grad=True)
        >>> solution = Implicit(FISTA(50, tol=1e-4))(Reconstruction(torch.eye(2), drive, L1(1.0)))
        >>> solution.value.sum().backward()
        >>> solution.backward.solution.converged
        tensor([True])
    """

    solution: "Solution | None" = None


@dataclass(frozen=True, eq=False)
class Solution(Described):
    """The outcome of a solve.

    Attributes:
        value: the final state, of the shape of ``problem.start()``; ``problem.decode(value)`` is the code.
        converged: of each sample, or None for solvers that stop after a number of steps without looking.
        trace: how it went, when it was asked for.
        backward: of implicit gradients, a report that the backward pass fills with the solution of its own system.

    Example:
        >>> from unroll import FISTA, L1, Reconstruction
        >>> problem = Reconstruction(torch.eye(2), torch.tensor([[[3.0], [0.5]]]), L1(1.0))
        >>> FISTA(50, tol=1e-4)(problem).check().value.flatten()
        tensor([2., 0.])
    """

    value: Tensor
    converged: Annotated[Tensor, "B"] | None = None
    trace: Trace | None = None
    backward: "BackwardReport | None" = None

    def check(self) -> "Solution":
        """Return the solution itself when it can be trusted.

        Raises:
            NotConvergedError: naming the samples that are not finite or did not converge, with the remedy.
        """
        finite = torch.isfinite(self.value).flatten(1).all(dim=1)
        if not finite.all():
            raise NotConvergedError(
                f"samples {_where(~finite)} hold NaN or infinity: look for it in their inputs; if these are finite, "
                "the steps are too large: give the problem a safe step bound (problems.row_sum)"
            )
        if self.converged is not None and not self.converged.all():
            raise NotConvergedError(
                f"samples {_where(~self.converged)} did not reach the tolerance: allow more steps, "
                "loosen tol, or give the problem a tighter step bound (problems.power_iteration)"
            )
        return self


def _where(flags: Tensor) -> list[int]:
    return flags.nonzero().flatten().tolist()
