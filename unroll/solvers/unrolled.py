"""Plain iteration for a given number of steps: algorithm unrolling."""

from dataclasses import dataclass
from typing import ClassVar

from unroll import validate
from unroll.contracts import Kind, Problem
from unroll.solvers.base import Solver, solvers
from unroll.solvers.loop import plain, run
from unroll.solvers.solution import Solution


@solvers.register("unrolled")
@dataclass(frozen=True)
class Unrolled(Solver):
    r"""Apply the step a fixed number of times and back-propagate through all of them.

    .. math:: z_{k+1} = \mathrm{step}(z_k, k), \qquad k = 0 \dots \mathrm{steps} - 1

    On sparse reconstruction this is ISTA. It accepts every problem, never looks at the residual, and so says
    nothing of convergence: ``converged`` is None.

    Args:
        steps: number of steps, >= 0.

    Raises:
        ValueError: when ``steps`` is negative or not a whole number.

    Source: Gregor and LeCun 2010; Beck and Teboulle 2009, section 1.2 (ISTA).

    Example:
        >>> from unroll.problems import L1, Reconstruction
        >>> problem = Reconstruction(torch.eye(2), torch.tensor([[[3.0], [0.5]]]), L1(1.0))
        >>> Unrolled(steps=5)(problem).value.flatten()
        tensor([2., 0.])
    """

    steps: int = 5
    accepts: ClassVar[frozenset[Kind]] = frozenset(Kind)

    def __post_init__(self) -> None:
        validate.count("steps", self.steps, low=0)

    def run(self, problem: Problem, trace: bool) -> Solution:
        return run(problem, plain, self.steps, trace=True) if trace else Solution(problem.iterate(self.steps))
