"""What we learn: data sets, corruptions, training, metrics, comparisons, figures."""

from unroll.study.attacks import adversarial_patch, autoattack, fgsm, pgd, square_attack
from unroll.study.augment import RandomAffine
from unroll.study.calibration import calibration_error
from unroll.study.compare import Comparison, compare, run_study
from unroll.study.corruptions import SEVERITIES, corrupt, corruptions
from unroll.study.data import DataError, Dataset, Split, datasets, load
from unroll.study.experiment import attention_layers
from unroll.study.maps import draw_heard, heard_by, settling
from unroll.study.masking import check_masking, masked
from unroll.study.metrics import (
    FixedPointReport,
    convergence,
    effective_tokens,
    fixed_point_report,
    loudness,
    map_rank,
    map_similarity,
    mixing,
)
from unroll.study.networks import Network, inspect, load_network
from unroll.study.other_solvers import under_solvers, with_solver
from unroll.study.periphery import (
    attended_distance,
    nonlocality,
    periphery,
    position_share,
    radial_profile,
    reach,
    regions,
)
from unroll.study.periphery_figures import draw_distances, draw_regions, draw_shares
from unroll.study.photographs import assemble, patches, photograph
from unroll.study.presets import presets
from unroll.study.report import markdown
from unroll.study.restored import restored, restored_accuracy
from unroll.study.series import SeriesDataset, SeriesSplit, load_series, series_sets
from unroll.study.settings import Entry, Settings, Size, build
from unroll.study.style import markers, palette, theme
from unroll.study.temperature import under_temperatures, with_temperature
from unroll.study.training import (
    History,
    NonFiniteLossError,
    Recipe,
    accuracy,
    pick_device,
    seed_everything,
    train,
)

__all__ = [
    "SEVERITIES",
    "Comparison",
    "DataError",
    "Dataset",
    "Entry",
    "FixedPointReport",
    "History",
    "Network",
    "NonFiniteLossError",
    "RandomAffine",
    "Recipe",
    "SeriesDataset",
    "SeriesSplit",
    "Settings",
    "Size",
    "Split",
    "accuracy",
    "adversarial_patch",
    "assemble",
    "attended_distance",
    "attention_layers",
    "autoattack",
    "build",
    "calibration_error",
    "check_masking",
    "compare",
    "convergence",
    "corrupt",
    "corruptions",
    "datasets",
    "draw_distances",
    "draw_heard",
    "draw_regions",
    "draw_shares",
    "effective_tokens",
    "fgsm",
    "fixed_point_report",
    "heard_by",
    "inspect",
    "load",
    "load_network",
    "load_series",
    "loudness",
    "map_rank",
    "map_similarity",
    "markdown",
    "markers",
    "masked",
    "mixing",
    "nonlocality",
    "palette",
    "patches",
    "periphery",
    "pgd",
    "photograph",
    "pick_device",
    "position_share",
    "presets",
    "radial_profile",
    "reach",
    "regions",
    "restored",
    "restored_accuracy",
    "run_study",
    "seed_everything",
    "series_sets",
    "settling",
    "square_attack",
    "theme",
    "train",
    "under_solvers",
    "under_temperatures",
    "with_solver",
    "with_temperature",
]
