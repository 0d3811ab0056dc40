"""The rules of the problem contract. Each measures one promise of a bound problem in float64."""

from unroll.problems.rules import calls, optimality, steps
from unroll.problems.rules.base import rules

__all__ = ["calls", "optimality", "rules", "steps"]
