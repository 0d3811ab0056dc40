"""The commands that fetch published data sets and say what is there."""

import argparse

from unroll.study.data import datasets, load
from unroll.study.series import load_series, series_sets
from unroll.study.sets.addresses import sources
from unroll.study.sets.fetching import fetch, home
from unroll.study.sets.stand_in import FORMED


def fetch_sets(options: argparse.Namespace) -> None:
    """Fetch published data sets, check and unpack them; what is there already is not fetched again."""
    for name in options.names:
        _say(f"{name} is in {fetch(name)}")


def add_fetching(parser: argparse.ArgumentParser) -> None:
    """Give the parser what :func:`fetch_sets` reads."""
    parser.add_argument(
        "names", nargs="+", help=f"any of {', '.join(sources.names())}; kept in UNROLL_DATA, or in the user's cache"
    )


def show_data(options: argparse.Namespace) -> None:
    """Verify data sets and describe them."""
    shipped = [name for name in (*datasets.names(), *series_sets.names()) if name not in FORMED]
    for name in options.names or shipped:
        data = load_series(name) if name in series_sets.names() else load(name)
        _say(f"{data.told()}; " + ("checksum verified" if name in shipped else f"from {home(name)}"))
    for name in () if options.names else dict.fromkeys((*FORMED, *sources)):
        missing = f"not there; python -m unroll fetch {name}" if name in sources else "not there, and cannot be fetched"
        there = any(path.suffix != ".part" for path in home(name).glob("*"))
        _say(f"{name}: {home(name)} is " + ("there" if there else missing))


def add_showing(parser: argparse.ArgumentParser) -> None:
    """Give the parser what :func:`show_data` reads."""
    known = ", ".join((*datasets.names(), *series_sets.names()))
    parser.add_argument("names", nargs="*", help=f"data sets, all that are shipped when none is named: {known}")


def _say(text: str) -> None:
    print(text)  # noqa: T201
