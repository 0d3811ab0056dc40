"""Finished work on disk, addressed by all that decided it, so that none is ever lost or repeated."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from unroll.models import ImageModel
from unroll.study.entries import Entry
from unroll.study.environment import describe_environment
from unroll.study.files import discard, write_aside
from unroll.study.networks import Network, load_network
from unroll.study.settings import Settings
from unroll.study.source import fingerprint

WEIGHTS, NOTE, CHECKPOINT = "weights.safetensors", "configuration.json", "checkpoint.safetensors"
TRAINING = "training"


@dataclass(frozen=True)
class Shelf:
    """A folder of tables, each by its name, in a room of its own for each version of what measures.

    Attributes:
        place: the folder.
    """

    place: Path

    def table(self, name: str) -> pd.DataFrame | None:
        """Return a table that was kept, or None."""
        path = self._path(name)
        return pd.read_csv(path) if path.is_file() else None

    def keep(self, name: str, table: pd.DataFrame) -> pd.DataFrame:
        """Write a table in one move, and return it as it will be read."""
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_aside(path, lambda aside: table.to_csv(aside, index=False))
        return self.table(name)

    def _path(self, name: str) -> Path:
        return self.place / f"measured-{fingerprint('measuring')[:8]}" / f"{name}.csv"


@dataclass(frozen=True)
class Run(Shelf):
    """One network of a study: its weights and the course of its training, and what was measured of it.

    Attributes:
        entry: the competitor.
        seed: of the run.
        settings: of the study; what does not bear on the training is not looked at.
    """

    entry: Entry
    seed: int
    settings: Settings

    @property
    def checkpoint(self) -> Path:
        """The file that holds where the training stands while it is under way."""
        return self.place / CHECKPOINT

    @property
    def trained(self) -> bool:
        """Whether the network is there."""
        return self._training.is_file()

    def network(self) -> Network:
        """Return the trained network.

        Raises:
            DataError: when it has not been trained, or by another version of the source.
        """
        return load_network(self.place / WEIGHTS)

    def training(self) -> pd.DataFrame:
        """Return the course of the training."""
        return pd.read_csv(self._training)

    def environment(self) -> dict[str, object]:
        """Return where the network was trained."""
        return json.loads((self.place / NOTE).read_text())["environment"]

    def keep_network(self, model: ImageModel, training: pd.DataFrame) -> None:
        """Write a trained network; the course of its training last, since it says that the network is there.

        Only then is the checkpoint removed, so that there is no moment at which the training could be lost.
        """
        self.place.mkdir(parents=True, exist_ok=True)
        settings, device = self.settings, next(model.parameters()).device
        made = {**training_configuration(self.entry, self.seed, settings), "environment": describe_environment(device)}
        write_aside(self.place / NOTE, lambda path: path.write_text(json.dumps(made, indent=2) + "\n"))
        Network(model, self.entry, settings.data, settings.size, self.seed).save(self.place / WEIGHTS)
        write_aside(self._training, lambda path: training.to_csv(path, index=False))
        discard(self.checkpoint)

    @property
    def _training(self) -> Path:
        return self.place / f"{TRAINING}.csv"


class Store:
    """A folder with one folder a run.

    A run's address is a hash of what decides its training and of the source that it runs through: change either, and it
    is another run. Under which conditions a network is judged, and with whom it is compared, does not matter to it.

    Args:
        folder: made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, entry: Entry, seed: int, settings: Settings) -> Run:
        """Return a run, whether or not it has been made."""
        address = digest(training_configuration(entry, seed, settings), fingerprint("training"))
        return Run(self.folder / address, entry, seed, settings)

    def shared(self, runs: Iterable[Run]) -> Shelf:
        """Return where tables stand that several runs share."""
        return Shelf(self.folder / digest({"runs": [run.place.name for run in runs]}, ""))


def training_configuration(entry: Entry, seed: int, settings: Settings) -> dict[str, object]:
    """Return all that decides a trained network, up to the round-off of where it is trained."""
    plain = replace(settings, recipe=settings.recipe.decisive()).to_dict()
    return {"entry": entry.to_dict(), "seed": seed, **{key: plain[key] for key in _DECIDES}}


_DECIDES = ("data", "judged_on", "recipe", "size")


def digest(configuration: Mapping[str, object], source: str) -> str:
    """Return an address: a hash of a configuration and of the source that it was run through."""
    return hashlib.sha256((json.dumps(configuration, sort_keys=True) + source).encode()).hexdigest()[:16]
