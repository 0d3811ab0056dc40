"""What we learn: data sets, corruptions, training, metrics, comparisons, figures."""

from unroll.study.augment import RandomAffine
from unroll.study.compare import Comparison, compare, run_study
from unroll.study.corruptions import SEVERITIES, corrupt, corruptions
from unroll.study.data import DataError, Dataset, Split, datasets, load
from unroll.study.entries import Entry, Size, build
from unroll.study.experiment import attention_layers
from unroll.study.first_steps import first_steps
from unroll.study.inspection import inspect
from unroll.study.logs import Logs
from unroll.study.maps import draw_heard, heard_by, settling
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
from unroll.study.settings import Settings
from unroll.study.style import markers, palette, theme
from unroll.study.training import (
    History,
    NonFiniteLossError,
    accuracy,
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
    "Logs",
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
    "assemble",
    "attended_distance",
    "attention_layers",
    "build",
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
    "first_steps",
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
    "mixing",
    "nonlocality",
    "palette",
    "patches",
    "periphery",
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
    "theme",
    "train",
    "under_solvers",
    "with_solver",
]
