"""Finished runs on disk, addressed by all that decided them, so that none is ever lost or repeated."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path

import pandas as pd

from unroll.models import ImageModel
from unroll.study.files import write_aside
from unroll.study.networks import Network, load_network
from unroll.study.settings import Entry, Settings

PACKAGE = Path(__file__).parents[1]
ROWS, WEIGHTS, NOTE = "rows.csv", "weights.safetensors", "configuration.json"


class Store:
    """A folder with one folder a finished run: its rows, its weights, its configuration.

    A run's address is a hash of its configuration and of this package's source: change either, and it is another run.

    Args:
        folder: made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def place(self, entry: Entry, seed: int, settings: Settings) -> Path:
        """Return the folder of one run, whether or not it has been made."""
        return self.folder / digest(_configuration(entry, seed, settings), _source())

    def rows(self, entry: Entry, seed: int, settings: Settings) -> list[dict[str, object]] | None:
        """Return the rows of a finished run, or None."""
        path = self.place(entry, seed, settings) / ROWS
        return pd.read_csv(path).to_dict("records") if path.is_file() else None

    def keep(
        self, entry: Entry, seed: int, settings: Settings, rows: list[dict[str, object]], model: ImageModel
    ) -> None:
        """Write a finished run; its rows last, since they say that it is finished."""
        place = self.place(entry, seed, settings)
        place.mkdir(parents=True, exist_ok=True)
        note = json.dumps(_configuration(entry, seed, settings), indent=2) + "\n"
        write_aside(place / NOTE, lambda path: path.write_text(note))
        Network(model, entry, settings.data, settings.size, seed).save(place / WEIGHTS)
        write_aside(place / ROWS, lambda path: pd.DataFrame(rows).to_csv(path, index=False))

    def network(self, entry: Entry, seed: int, settings: Settings) -> Network:
        """Return the network of a finished run.

        Raises:
            DataError: when the run has not been made, or was made by another version of the source.
        """
        return load_network(self.place(entry, seed, settings) / WEIGHTS)


def _configuration(entry: Entry, seed: int, settings: Settings) -> dict[str, object]:
    shared = {name: part for name, part in settings.to_dict().items() if name not in ("entries", "seeds")}
    return {"entry": entry.to_dict(), "seed": seed, **shared, "recipe": asdict(settings.recipe)}


def digest(configuration: Mapping[str, object], source: str) -> str:
    """Return the address of a run: a hash of its configuration and of the source that made it."""
    return hashlib.sha256((json.dumps(configuration, sort_keys=True) + source).encode()).hexdigest()[:16]


@cache
def _source() -> str:
    """Return a hash of the Python source of this package."""
    total = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        total.update(path.read_bytes())
    return total.hexdigest()
