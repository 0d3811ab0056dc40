"""python -m unroll recover: train the unrolled networks, judge them beside their parents, write tables and figures."""

import argparse
from pathlib import Path

import pandas as pd

from unroll.study.figures import save
from unroll.study.files import write_aside
from unroll.study.recovery.cases import cases
from unroll.study.recovery.figures import error_by_layer, error_elsewhere
from unroll.study.recovery.saved import Coder, save_coders
from unroll.study.recovery.study import run_recovery
from unroll.study.recovery.summary import summary

SMALL = 10_000  # parameters: what has fewer is shipped
# Enough lines to tell the story, few enough to tell them apart; the table has all.
SHOWN = ("ISTA", "FISTA", "learned step", "LISTA", "LISTA-CPSS", "ALISTA", "ALISTA-AT", "HyperLISTA", "LAMP")


def recover(options: argparse.Namespace) -> None:
    """Train the unrolled networks, judge them beside ISTA and FISTA, and write tables, figures and small networks."""
    chosen = options.cases or cases.names()
    table, coders = run_recovery(chosen, options.store, options.methods)
    print(summary(table).to_string(index=False, float_format="{:.4g}".format, na_rep="-"))  # noqa: T201
    if options.methods:
        print("\nNothing was written: results hold all methods of a case")  # noqa: T201
        return
    options.out.mkdir(parents=True, exist_ok=True)
    for case in chosen:
        _write(options.out / case.lower().replace(" ", "-"), table[table.case == case], coders[case])
    print(f"\nWritten to {options.out}: " + ", ".join(sorted(path.name for path in options.out.iterdir())))  # noqa: T201


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`recover` to a parser."""
    parser.add_argument("cases", nargs="*", help=f"all when none is named: {', '.join(cases.names())}")
    parser.add_argument("--methods", nargs="+", help="these only, and write nothing: so can a study be split")
    parser.add_argument("--store", type=Path, default=Path("runs/recovery"), help="folder of networks (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("results/recovery"), help="folder to write (%(default)s)")


def _write(path: Path, table: pd.DataFrame, coders: dict[str, Coder]) -> None:
    """Write tables, figures and small networks of one case, each beside the others under one name."""
    for suffix, part, precision in (("", table, "%.6g"), ("-summary", summary(table), "%.4g")):
        made = part.to_csv(index=False, float_format=precision)
        write_aside(path.with_name(f"{path.name}{suffix}.csv"), lambda aside, made=made: aside.write_text(made))
    labels = [label for label in SHOWN if (table.method == label).any()] or None
    write_aside(path.with_suffix(".png"), save(error_by_layer(table, labels)))
    if (table.condition == "density").any():
        write_aside(path.with_name(f"{path.name}-elsewhere.png"), save(error_elsewhere(table, labels)))
    small = {label: coder for label, coder in coders.items() if coder.parameters < SMALL}
    save_coders(path.with_suffix(".safetensors"), small)
