"""python -m unroll report: the report of a study, anew from its table."""

import argparse
from pathlib import Path

from unroll.study.compare import Comparison
from unroll.study.page import write_page


def report(options: argparse.Namespace) -> None:
    """Write the report of each study from its table and its settings, as one HTML file that needs nothing else."""
    for folder in options.folders:
        path = write_page(Comparison.read(folder), folder)
        print(f"Written to {path}")  # noqa: T201


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`report` to a parser."""
    parser.add_argument(
        "folders", nargs="*", type=Path, default=[Path("results/laptop")], help="that study has written (%(default)s)"
    )
