"""What is solved: proximal operators, penalties, step bounds, sparse reconstruction."""

from unroll.problems.bounds import BOUNDS, largest_eigenvalue, power_iteration, row_sum, schatten
from unroll.problems.penalties import L1, GELUShrinkage, NonNegativeL1, Penalty, Ridge, penalties
from unroll.problems.prox import gelu_shrinkage, nonnegative_soft_threshold, soft_threshold
from unroll.problems.reconstruction import Reconstruction

__all__ = [
    "BOUNDS",
    "L1",
    "GELUShrinkage",
    "NonNegativeL1",
    "Penalty",
    "Reconstruction",
    "Ridge",
    "gelu_shrinkage",
    "largest_eigenvalue",
    "nonnegative_soft_threshold",
    "penalties",
    "power_iteration",
    "row_sum",
    "schatten",
    "soft_threshold",
]
