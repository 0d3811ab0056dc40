"""The contract check of problems: what is wrong with a new one, rule by rule."""

import torch
from torch import Tensor

from unroll.contracts import Problem
from unroll.problems.rules import rules
from unroll.verdicts import Report


def check_problem(problem: Problem, *, raises: bool = True) -> Report:
    """Hold a bound problem against the contract, and against what its kind and its penalty promise.

    Args:
        problem: in float64, with a tensor for a state; two samples or more, so that they can be told apart.
        raises: False returns a report with failures instead of raising.

    Raises:
        ContractError: naming each broken rule, its number and a remedy.
        ValueError: when it is no problem, or its state is no float64 tensor.

    Example:
        >>> from unroll.problems import L1, Reconstruction
        >>> f = torch.randn(2, 6, 4, dtype=torch.float64)
        >>> check_problem(Reconstruction(f.mT @ f, f.mT @ torch.randn_like(f), L1(0.1))).passed
        True
    """
    if not isinstance(problem, Problem):
        raise ValueError(f"problem must be a Problem such as Reconstruction(...), got {problem!r}")
    start = problem.start()
    if not isinstance(start, Tensor) or start.dtype != torch.float64:
        found = start.dtype if isinstance(start, Tensor) else type(start).__name__
        raise ValueError(f"the state of problem must be a torch.float64 tensor, got {found}")
    return rules.judge(type(problem).__name__, problem, raises=raises)
