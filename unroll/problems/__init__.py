"""What is solved: proximal operators, penalties, step bounds, sparse reconstruction, LCA, Hopfield."""

from unroll.problems.bounds import BOUNDS, largest_eigenvalue, power_iteration, row_sum, schatten
from unroll.problems.check import check_problem
from unroll.problems.convolutional import ConvolutionalReconstruction, filtered, real_spectrum
from unroll.problems.duality import duality_gap
from unroll.problems.hopfield import Hopfield
from unroll.problems.lca import LCA
from unroll.problems.penalties import (
    L1,
    ElasticNet,
    GELUShrinkage,
    GroupL2,
    HardThreshold,
    NonNegativeL1,
    Ridge,
)
from unroll.problems.penalty import Penalty, from_dict, penalties
from unroll.problems.prox import (
    gelu_shrinkage,
    group_soft_threshold,
    hard_threshold,
    nonnegative_soft_threshold,
    soft_threshold,
)
from unroll.problems.reconstruction import Reconstruction
from unroll.problems.support import support_threshold

__all__ = [
    "BOUNDS",
    "L1",
    "LCA",
    "ConvolutionalReconstruction",
    "ElasticNet",
    "GELUShrinkage",
    "GroupL2",
    "HardThreshold",
    "Hopfield",
    "NonNegativeL1",
    "Penalty",
    "Reconstruction",
    "Ridge",
    "check_problem",
    "duality_gap",
    "filtered",
    "from_dict",
    "gelu_shrinkage",
    "group_soft_threshold",
    "hard_threshold",
    "largest_eigenvalue",
    "nonnegative_soft_threshold",
    "penalties",
    "power_iteration",
    "real_spectrum",
    "row_sum",
    "schatten",
    "soft_threshold",
    "support_threshold",
]
