"""The study on time series: models x sets x seeds, each run made once and kept."""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path

import pandas as pd
from tqdm.auto import tqdm

from unroll import validate
from unroll.models import SeriesModel
from unroll.study.files import write_aside
from unroll.study.processes import pick_device
from unroll.study.series.contenders import COMPARED, contenders
from unroll.study.series.data import CHECKSUMS, SeriesDataset, load_series, series_sets
from unroll.study.series.inside import look_inside
from unroll.study.series.training import SeriesRecipe, judge, train_series
from unroll.study.store import digest
from unroll.study.training import seed_everything

SETS = tuple(CHECKSUMS)
# At the 1,460 steps of ACSF1 a batch's maps of one layer take 4 GB, and several are kept.
LONGEST = 128
_DECIDE = ("unroll.attention", "unroll.models", "unroll.study.series")


@dataclass(frozen=True)
class SeriesSettings:
    """A whole study: which models, on which sets, with which seeds, and how they are trained.

    ``longest`` shortens longer series to that many steps, for all models alike (None: none is); the cost of a map
    grows with the square of the steps.

    Raises:
        ValueError: on an unknown or repeated model or set, none at all, a seed below zero, or no steps.
    """

    models: tuple[str, ...] = COMPARED
    sets: tuple[str, ...] = SETS
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    recipe: SeriesRecipe = field(default_factory=SeriesRecipe)
    longest: int | None = LONGEST

    def __post_init__(self) -> None:
        for noun, names in (("models", self.models), ("sets", self.sets), ("seeds", self.seeds)):
            if not names or len(set(names)) < len(names):
                raise ValueError(f"{noun} must hold at least one, and each once, got {list(names)}")
        for name in self.models:
            _ = contenders[name]
        for name in self.sets:
            _ = series_sets[name]
        for seed in self.seeds:
            validate.count("seed", seed, low=0)
        if self.longest is not None:
            validate.count("longest", self.longest)

    def runs(self) -> list[tuple[str, str, int]]:
        """Return every model, set and seed, in the order in which they are run: a whole round of models first."""
        return [(model, name, seed) for seed in self.seeds for name in self.sets for model in self.models]


@dataclass(frozen=True, eq=False)
class SeriesOutcome:
    """The outcome of a study on time series.

    Attributes:
        table: a row a run: model, seed, set, steps of its longest series, measure ("accuracy" in per cent or "RMSE"),
            value, parameters, seconds. What is judged is the last epoch, on the test series.
        maps: a row a measure of a layer's maps: model, seed, set, layer, measure, value.
    """

    table: pd.DataFrame
    maps: pd.DataFrame


def run_series_study(settings: SeriesSettings, store: Path, part: tuple[int, int] = (0, 1)) -> SeriesOutcome | None:
    """Make every run that is not in the store yet, and return the outcome, or None while other parts' are missing.

    Args:
        settings: the study.
        store: a folder with a file a finished run, by a hash of all that decided it: a run is never repeated.
        part: (k, n) makes only every n-th run from the k-th on, for processes that share a store.
    """
    store.mkdir(parents=True, exist_ok=True)
    made = []
    for index, (model, name, seed) in enumerate(tqdm(settings.runs(), desc="runs", unit="run")):
        data = load_series(name)
        data = (data if settings.longest is None else data.shortened(settings.longest)).standardised()
        generator = seed_everything(seed)
        network = contenders[model](data)
        path = store / f"{_address(network, model, data, seed, settings.recipe)}.json"
        if not path.is_file() and index % part[1] == part[0]:
            network = network.to(pick_device())
            seconds = train_series(network, data, settings.recipe, generator, label=f"{model}, {name}, seed {seed}")
            run = {"model": model, "seed": seed, **_row(network, data, seconds), "maps": _maps(network, data)}
            write_aside(path, lambda aside, run=run: aside.write_text(json.dumps(run)))
        made.append(json.loads(path.read_text()) if path.is_file() else None)
    if None in made:
        return None
    maps = [{key: run[key] for key in ("model", "seed", "set")} | look for run in made for look in run.pop("maps")]
    return SeriesOutcome(pd.DataFrame(made), pd.DataFrame(maps))


def _row(network: SeriesModel, data: SeriesDataset, seconds: float) -> dict[str, object]:
    return {
        "set": data.name,
        "steps": data.length,
        "measure": "accuracy" if data.classes else "RMSE",
        "value": judge(network, data),
        "parameters": sum(p.numel() for p in network.parameters()),
        "seconds": seconds,
    }


def _maps(network: SeriesModel, data: SeriesDataset) -> list[dict[str, object]]:
    return [
        {"layer": layer, "measure": measure, "value": value} for measure, layer, value in look_inside(network, data)
    ]


def _address(network: SeriesModel, model: str, data: SeriesDataset, seed: int, recipe: SeriesRecipe) -> str:
    """Return a hash of what decided a run: settings, data, and the source of the modules that its network is of."""
    source = {"set": data.name, "steps": data.length, "checksum": CHECKSUMS[data.name]}
    configuration = {"model": model, "data": source, "seed": seed, "recipe": asdict(recipe)}
    used = {type(part).__module__ for part in network.modules()} | {train_series.__module__, look_inside.__module__}
    total = sha256(str(network).encode())
    for module in sorted(_closure(used)):
        total.update(Path(sys.modules[module].__file__).read_bytes())
    return digest(configuration, total.hexdigest())


def _closure(modules: Iterable[str]) -> set[str]:
    """Return these modules and those of the functions and classes that they have imported, as far as they count."""
    found, new = set(), {module for module in modules if module.startswith(_DECIDE)}
    while new:
        found |= new
        named = {getattr(value, "__module__", None) for module in new for value in vars(sys.modules[module]).values()}
        new = {module for module in named if isinstance(module, str) and module.startswith(_DECIDE)} - found
    return found
