"""Recovery: unrolled networks beside their parents, on sparse codes and on patches of photographs."""

from unroll.study.recovery.cases import Case, cases
from unroll.study.recovery.classical import Classical
from unroll.study.recovery.evaluation import by_layer, elsewhere
from unroll.study.recovery.figures import error_by_layer, error_elsewhere
from unroll.study.recovery.judge import nmse, support_scores
from unroll.study.recovery.methods import Learned, Parent
from unroll.study.recovery.natural import Patches, learn_dictionary, photograph_patches
from unroll.study.recovery.saved import Coder, load_coders, save_coders
from unroll.study.recovery.schedule import Schedule
from unroll.study.recovery.sensing import Sensing, SparseCodes, gaussian_dictionary
from unroll.study.recovery.study import run_recovery
from unroll.study.recovery.summary import summary
from unroll.study.recovery.trainer import train_coder

__all__ = [
    "Case",
    "Classical",
    "Coder",
    "Learned",
    "Parent",
    "Patches",
    "Schedule",
    "Sensing",
    "SparseCodes",
    "by_layer",
    "cases",
    "elsewhere",
    "error_by_layer",
    "error_elsewhere",
    "gaussian_dictionary",
    "learn_dictionary",
    "load_coders",
    "nmse",
    "photograph_patches",
    "run_recovery",
    "save_coders",
    "summary",
    "support_scores",
    "train_coder",
]
