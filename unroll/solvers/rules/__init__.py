"""The rules of the solver contract. Each measures one promise on small problems with known answers."""

from unroll.solvers.rules import answers, calls, courses
from unroll.solvers.rules.base import rules

__all__ = ["answers", "calls", "courses", "rules"]
