"""The comparison: several attentions, one network, one recipe, the same seeds; one tidy table."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from matplotlib.figure import Figure
from tqdm.auto import tqdm

from unroll.study import experiment, figures, overview
from unroll.study.data import Dataset, load
from unroll.study.entries import Entry, Size, build
from unroll.study.environment import describe_environment
from unroll.study.files import write_aside, write_table
from unroll.study.probes import probes
from unroll.study.processes import bars, pick_device, processes
from unroll.study.recipe import Recipe
from unroll.study.robustness import holds_common
from unroll.study.settings import Settings
from unroll.study.store import Run, Store
from unroll.study.summary import summarise

TABLE, CONFIGURATION = "table.csv", "configuration.json"


@dataclass(frozen=True, eq=False)
class Comparison:
    """The outcome of a comparison.

    Attributes:
        table: tidy, one number a row: attention, seed, measure, condition, level, value.
        configuration: everything that decided these numbers.
        further: tables of other forms, by the names of the probes that made them.

    Example:
        >>> outcome = compare(["softmax"], data="digits", epochs=1, size=Size(8, 1, 1))
        >>> outcome.summary().index.tolist(), outcome.configuration["data"]
        (['softmax'], 'digits')
    """

    table: pd.DataFrame
    configuration: dict[str, object]
    further: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    def summary(self) -> pd.DataFrame:
        """Return one row an attention: means over seeds of what the three questions ask for."""
        return summarise(self.table)

    def plot(self) -> dict[str, Figure]:
        """Return the figures: convergence, sparsity, robustness; maps and corruptions where the table tells of them."""
        form = overview if overview.suits(self.table) else figures
        drawn = {
            "convergence": form.convergence(self.table),
            "sparsity": form.sparsity(self.table),
            "robustness": form.robustness(self.table),
        }
        if (self.table.measure == "similarity to the layer before").any():
            drawn["maps"] = form.maps(self.table)
        if holds_common(self.table):
            drawn["corruptions"] = figures.corruptions(self.table)
        return drawn

    def save(self, folder: Path) -> None:
        """Write the tables (CSV), the configuration (JSON) and the figures (PNG), each in one move."""
        for name, table in {TABLE: self.table, **{f"{name}.csv": t for name, t in self.further.items()}}.items():
            write_table(folder / name, table)
        text = json.dumps(self.configuration, indent=2) + "\n"
        write_aside(folder / CONFIGURATION, lambda path: path.write_text(text))
        for name, figure in self.plot().items():
            write_aside(folder / f"{name}.png", figures.save(figure))

    @classmethod
    def read(cls, folder: Path) -> "Comparison":
        """Return what :meth:`save` wrote.

        Raises:
            FileNotFoundError: when the folder holds no comparison, with the commands that make one.
        """
        for name in (TABLE, CONFIGURATION):
            if not (folder / name).is_file():
                raise FileNotFoundError(
                    f"{folder / name} is missing: 'make study' writes results/quick, 'make results' the rest"
                )
        configuration = json.loads((folder / CONFIGURATION).read_text())
        further = {name: pd.read_csv(folder / f"{name}.csv") for name in configuration.get("probes", ())}
        return cls(pd.read_csv(folder / TABLE), configuration, further)


def compare(
    attentions: Sequence[str | Entry],
    data: str = "mnist5k",
    *,
    seeds: int | Iterable[int] = 1,
    epochs: int | None = None,
    recipe: Recipe | None = None,
    size: Size | None = None,
) -> Comparison:
    """Train each attention in the same small vision transformer and measure all of them alike.

    Args:
        attentions: registered names, or :class:`Entry` for options of their own.
        data: a registered data set.
        seeds: how many (0, 1, ...), or which.
        epochs: passes over the data, when the recipe's number is not wanted.
        recipe: how they are trained; the default recipe when None.
        size: of the vision transformer that carries them; the default size when None.

    Raises:
        ValueError: on unknown names (the nearest is suggested) or settings out of range.
        NonFiniteLossError: when a training diverges.

    Example:
        >>> outcome = compare(["softmax", "kernel"], data="digits", epochs=1, size=Size(8, 1, 2))
        >>> outcome.summary().index.tolist()
        ['softmax', 'kernel']
    """
    if isinstance(attentions, str):
        raise ValueError(f"attentions must be a list of names, got {attentions!r}: write [{attentions!r}]")
    recipe = recipe or Recipe()
    return run_study(
        Settings(
            entries=tuple(Entry(who) if isinstance(who, str) else who for who in attentions),
            data=data,
            seeds=tuple(range(seeds) if isinstance(seeds, int) else seeds),
            recipe=recipe if epochs is None else replace(recipe, epochs=epochs),
            size=size or Size(),
        )
    )


def run_study(settings: Settings, store: Store | None = None, part: tuple[int, int] = (0, 1)) -> Comparison | None:
    """Run every entry with every seed; see :func:`compare`.

    Args:
        settings: the study.
        store: where finished work is kept and looked up, so that an interrupted study goes on where it stopped.
        part: (k, n) makes only every n-th run from the k-th on, for processes that share a store; the comparison is
            returned only when the runs of the other parts are there as well, and is None otherwise. Processes that
            PyTorch's launcher started train each network together; the first returns the comparison, the others None.

    Raises:
        NonFiniteLossError: when a training diverges.

    Example:
        >>> study = Settings((Entry("softmax"),), data="digits", size=Size(8, 1, 1), recipe=Recipe(epochs=1))
        >>> run_study(study).table["seed"].unique().tolist()
        [0]
    """
    if store is None:
        with TemporaryDirectory() as folder:
            return run_study(settings, Store(Path(folder)), part)
    data = load(settings.data)
    # Whatever is wrong with a setting shows before the first training, not after it.
    layers = {entry.label: build(entry, data, settings.size).blocks[0].attention for entry in settings.entries}
    runs = [store.run(entry, seed, settings) for seed in settings.seeds for entry in settings.entries]
    k, n = part
    for run in tqdm(runs[k::n], desc="runs", unit="run", **bars()):
        experiment.complete(run, data)
    tables = [experiment.finished(run) for run in runs]
    if not processes().is_main_process or any(table is None for table in tables):
        return None
    configuration = {
        **settings.to_dict(),
        "layers": {label: str(layer).splitlines() for label, layer in layers.items()},
        "environment": describe_environment(pick_device()),
        "trained in": _environments(runs),
    }
    return Comparison(pd.concat(tables, ignore_index=True), configuration, _probed(settings, runs, store, data))


def _environments(runs: Sequence[Run]) -> list[dict[str, object]]:
    """Return where networks were trained, each place once, with how many."""
    counts = Counter(tuple(run.environment().items()) for run in runs)
    return [{**dict(place), "networks": count} for place, count in counts.items()]


def _probed(settings: Settings, runs: Sequence[Run], store: Store, data: Dataset) -> dict[str, pd.DataFrame]:
    """Return the further tables of a study, made seed by seed where they are not there yet."""
    tables = {name: [] for name in settings.probes}
    exam = experiment.judged_split(settings, data)
    for name, seed in product(settings.probes, settings.seeds):
        together = [run for run in runs if run.seed == seed]
        shelf = store.shared(together)
        table = shelf.table(name)
        if table is None:
            table = probes[name]({run.entry.label: run.network() for run in together}, exam)
            table = shelf.keep(name, table.assign(seed=seed))
        tables[name].append(table)
    return {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}
