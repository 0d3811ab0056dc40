"""python -m unroll periphery: where the heads of trained networks look."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from unroll.study.data import load
from unroll.study.files import write_table
from unroll.study.networks import Network, load_network
from unroll.study.periphery import REGIONS, periphery
from unroll.study.presets import presets
from unroll.study.store import Store


def look_around(options: argparse.Namespace) -> None:
    """Say where each head of trained networks looks, and whether position or content decides, on the test split."""
    networks = [
        *map(load_network, options.weights),
        *(_stored(options.preset, options.store) if options.preset else ()),
    ]
    if not networks:
        raise ValueError("periphery needs a FILE or --preset, got neither")
    table = pd.concat(map(_periphery, networks), ignore_index=True)
    print(table.to_string(index=False, float_format="{:.3g}".format, na_rep="-"))  # noqa: T201
    print(f"\nHeads by region:\n{count_regions(table).to_string()}")  # noqa: T201
    if options.out:
        write_table(options.out, table)
        print(f"\nWritten to {options.out}")  # noqa: T201


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`look_around` to a parser."""
    parser.add_argument("weights", nargs="*", type=Path, metavar="FILE", help="files that train or study has written")
    parser.add_argument(
        "--preset", help=f"also a study's peripheral networks of all seeds: {', '.join(presets.names())}"
    )
    parser.add_argument(
        "--store", type=Path, default=Path("runs/store"), help="where that study keeps its finished runs (%(default)s)"
    )
    parser.add_argument("--out", type=Path, help="also write the table, one row a network, seed, layer and head (CSV)")


def count_regions(table: pd.DataFrame) -> pd.DataFrame:
    """Return how many heads of each network look at which region, and how many regions have a head."""
    counts = pd.crosstab([table.network, table.seed], table.region).rename_axis(columns=None)
    counts = counts.reindex(columns=list(REGIONS), fill_value=0)
    counts["regions seen"] = (counts > 0).sum(axis=1)
    return counts


def _stored(preset: str, store: Path) -> Iterator[Network]:
    settings = presets[preset]
    for entry in settings.entries:
        if entry.attention == "peripheral":
            yield from (Store(store).run(entry, seed, settings).network() for seed in settings.seeds)


def _periphery(network: Network) -> pd.DataFrame:
    table = periphery(network.model, load(network.data).test)
    table.insert(0, "network", network.entry.label)
    table.insert(1, "seed", network.seed)
    return table
