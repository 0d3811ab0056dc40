"""The comparison: several attentions, one network, one recipe, the same seeds; one tidy table."""

import json
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import torch
from matplotlib.figure import Figure
from tqdm.auto import tqdm

from unroll.study import experiment, figures
from unroll.study.data import load
from unroll.study.files import write_aside, write_table
from unroll.study.settings import Entry, Settings, Size, build
from unroll.study.store import Store
from unroll.study.summary import summarise
from unroll.study.training import Recipe, pick_device

TABLE, CONFIGURATION = "table.csv", "configuration.json"


@dataclass(frozen=True, eq=False)
class Comparison:
    """The outcome of a comparison.

    Attributes:
        table: tidy, one number a row: attention, seed, measure, condition, level, value.
        configuration: everything that decided these numbers.
    """

    table: pd.DataFrame
    configuration: dict[str, object]

    def summary(self) -> pd.DataFrame:
        """Return one row an attention: means over seeds of what the three questions ask for."""
        return summarise(self.table)

    def plot(self) -> dict[str, Figure]:
        """Return the figures: convergence, sparsity, robustness; maps and corruptions where the table tells of them."""
        drawn = {
            "convergence": figures.convergence(self.table),
            "sparsity": figures.sparsity(self.table),
            "robustness": figures.robustness(self.table),
        }
        if (self.table.measure == "similarity to the layer before").any():
            drawn["maps"] = figures.maps(self.table)
        if figures.holds_common(self.table):
            drawn["corruptions"] = figures.corruptions(self.table)
        return drawn

    def save(self, folder: Path) -> None:
        """Write the table (CSV), the configuration (JSON) and the figures (PNG), each in one move."""
        write_table(folder / TABLE, self.table)
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
        return cls(pd.read_csv(folder / TABLE), json.loads((folder / CONFIGURATION).read_text()))


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
        >>> compare(["softmax", "vars-d"], data="digits", seeds=3).summary()  # doctest: +SKIP
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
        store: where finished runs are kept and looked up, so that an interrupted study goes on where it stopped.
        part: (k, n) makes only every n-th run from the k-th on, for processes that share a store; the comparison is
            returned only when the runs of the other parts are there as well, and is None otherwise.
    """
    data = load(settings.data)
    # Whatever is wrong with a setting shows before the first training, not after it.
    layers = {entry.label: build(entry, data, settings.size).blocks[0].attention for entry in settings.entries}
    configuration = {
        **settings.to_dict(),
        "layers": {label: str(layer).splitlines() for label, layer in layers.items()},
        "environment": describe_environment(pick_device()),
    }
    runs = [(entry, seed) for seed in settings.seeds for entry in settings.entries]
    rows = []
    for index, (entry, seed) in enumerate(tqdm(runs, desc="runs", unit="run")):
        made = store.rows(entry, seed, settings) if store else None
        if made is None and index % part[1] == part[0]:
            made, model = experiment.run(entry, seed, settings, data)
            if store:
                store.keep(entry, seed, settings, made, model)
        rows.append(made)
    if None in rows:
        return None
    rows = [row for made in rows for row in made]
    return Comparison(pd.DataFrame(rows), configuration)


def describe_environment(device: torch.device) -> dict[str, object]:
    """Return the versions and the device that numbers depend on."""
    return {
        "unroll": version("unroll"),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": device.type,
        "threads": torch.get_num_threads(),
    }
