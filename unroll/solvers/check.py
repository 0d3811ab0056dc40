"""The contract check of solvers: what is wrong with a new one, rule by rule."""

from unroll.solvers.base import Solver, solvers
from unroll.solvers.rules import rules
from unroll.verdicts import Report


def check_solver(solver: str | Solver, *, raises: bool = True) -> Report:
    """Hold a solver against the contract, on small problems in float64 whose answers are known.

    Args:
        solver: a registered name, which stands for its default settings, or a solver.
        raises: False returns a report with failures instead of raising.

    Raises:
        ContractError: naming each broken rule, its number and a remedy.
        ValueError: on an unknown name, or when it is no solver.

    Example:
        >>> check_solver("fista").passed
        True
    """
    subject = solver if isinstance(solver, str) else type(solver).__name__
    solver = solvers[solver]() if isinstance(solver, str) else solver
    if not isinstance(solver, Solver):
        raise ValueError(f"solver must be a Solver such as unroll.solvers.Unrolled(5), or its name, got {solver!r}")
    return rules.judge(subject, solver, raises=raises)
