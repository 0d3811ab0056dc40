"""What we learn: data sets, corruptions, training, metrics, comparisons, figures."""

from unroll.study import asked  # noqa: F401, that its probes are known
from unroll.study.attacks import adversarial_patch, autoattack, fgsm, pgd, square_attack
from unroll.study.augment import RandomAffine
from unroll.study.calibration import calibration_error
from unroll.study.claims import Claim, Estimate, claims, judge_claims
from unroll.study.compare import Comparison, compare, run_study
from unroll.study.corruption_error import corruption_errors, mean_corruption_errors
from unroll.study.corruptions import COMMON, SEVERITIES, corrupt, corruptions
from unroll.study.crop_flip import RandomCropFlip
from unroll.study.data import DataError, Dataset, Split, datasets, load
from unroll.study.entries import Entry, Size, build
from unroll.study.experiment import attention_layers
from unroll.study.first_steps import first_steps
from unroll.study.inspection import inspect
from unroll.study.logs import Logs
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
from unroll.study.networks import Network, load_network
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
from unroll.study.processes import pick_device
from unroll.study.recipe import Recipe
from unroll.study.report import markdown
from unroll.study.restored import restored, restored_accuracy
from unroll.study.series import SeriesDataset, SeriesSplit, load_series, series_sets
from unroll.study.sets import fetch, image_folder, published, published_copy, stand_in
from unroll.study.settings import Settings
from unroll.study.statistics import Finding, Paired, paired
from unroll.study.style import markers, palette, theme
from unroll.study.temperature import under_temperatures, with_temperature
from unroll.study.training import (
    History,
    NonFiniteLossError,
    accuracy,
    seed_everything,
    train,
)

__all__ = [
    "COMMON",
    "SEVERITIES",
    "Claim",
    "Comparison",
    "DataError",
    "Dataset",
    "Entry",
    "Estimate",
    "Finding",
    "FixedPointReport",
    "History",
    "Logs",
    "Network",
    "NonFiniteLossError",
    "Paired",
    "RandomAffine",
    "RandomCropFlip",
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
    "claims",
    "compare",
    "convergence",
    "corrupt",
    "corruption_errors",
    "corruptions",
    "datasets",
    "draw_distances",
    "draw_heard",
    "draw_regions",
    "draw_shares",
    "effective_tokens",
    "fetch",
    "fgsm",
    "first_steps",
    "fixed_point_report",
    "heard_by",
    "image_folder",
    "inspect",
    "judge_claims",
    "load",
    "load_network",
    "load_series",
    "loudness",
    "map_rank",
    "map_similarity",
    "markdown",
    "markers",
    "masked",
    "mean_corruption_errors",
    "mixing",
    "nonlocality",
    "paired",
    "palette",
    "patches",
    "periphery",
    "pgd",
    "photograph",
    "pick_device",
    "position_share",
    "presets",
    "published",
    "published_copy",
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
    "stand_in",
    "theme",
    "train",
    "under_solvers",
    "under_temperatures",
    "with_solver",
    "with_temperature",
]
