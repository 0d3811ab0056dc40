"""python -m unroll claims: hold the papers' claims against the results."""

import argparse
from pathlib import Path

from unroll.study.claims.table import judge_claims, read_claims, told
from unroll.study.files import write_aside, write_table


def judge(options: argparse.Namespace) -> None:
    """Hold each claim of the papers against the results, and write the table of verdicts."""
    table = judge_claims(options.results)
    shown = table[["name", "value", "low", "high", "unit", "n", "verdict"]]
    print(shown.to_string(index=False, float_format="{:.3g}".format, na_rep="-"))  # noqa: T201
    out = options.out or options.results / "claims.csv"
    write_table(out, table)
    written = read_claims(out)  # what is told is what the table says, down to how its last digit rounds
    write_aside(out.with_suffix(".md"), lambda path: path.write_text(told(written)))
    print(f"\nWritten to {out} and {out.with_suffix('.md')}")  # noqa: T201


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`judge` to a parser."""
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of results (%(default)s)")
    parser.add_argument("--out", type=Path, help="table to write (CSV; Markdown beside it); claims.csv in that folder")
