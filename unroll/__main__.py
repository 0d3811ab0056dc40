"""The command line: python -m unroll COMMAND; --help lists the commands."""

import argparse
import sys
from pathlib import Path

import pandas as pd

import unroll.study.first_steps_command as dry
import unroll.study.periphery_command as periphery
import unroll.study.report_command as reporting
import unroll.study.study_command as comparing
import unroll.study.training_command as training
from unroll.study import DataError, NonFiniteLossError, load
from unroll.study.benchmark import run_benchmark
from unroll.study.claims import command as claims
from unroll.study.compare import Comparison
from unroll.study.figures import save
from unroll.study.files import write_aside, write_table
from unroll.study.front_page import picture
from unroll.study.inspection import inspect
from unroll.study.networks import load_network
from unroll.study.other_solvers import under_solvers
from unroll.study.recovery import command as recovery
from unroll.study.report import refresh
from unroll.study.restored import restored_accuracy
from unroll.study.selection import select, selections
from unroll.study.series import command as series
from unroll.study.sets import command as sets


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status: 0, or 1 after one line on what went wrong."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except (ValueError, DataError, NonFiniteLossError, OSError, ModuleNotFoundError) as error:
        print(f"unroll: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def inspect_network(options: argparse.Namespace) -> None:
    """Say how each layer of a trained network stands to its fixed point, before training and after."""
    network = load_network(options.weights)
    table = inspect(network, load(network.data).validation)
    _say(
        table.rename(columns={"distance": "distance to fixed point", "zeros": "exact zeros"}).to_string(
            index=False, float_format="{:.3g}".format, na_rep="-"
        )
    )


def try_solvers(options: argparse.Namespace) -> None:
    """Judge a trained network on the test split under other solvers: more steps, fewer steps, FISTA."""
    network = load_network(options.weights)
    table = under_solvers(network, load(network.data).test)
    shown = table.pivot_table(index="solver", columns="condition", values="accuracy", sort=False)
    _say(shown.to_string(float_format="{:.1f}".format))
    _write_table(table, options.out)


def restore_parts(options: argparse.Namespace) -> None:
    """Say which part of the layers carries a loss: restore it from the clean test images under each corruption."""
    network = load_network(options.weights)
    table = restored_accuracy(network, load(network.data).test, options.severity)
    shown = table.pivot_table(index="restored", columns="condition", values="recovered", sort=False)
    _say(f"Share of the accuracy lost at severity {options.severity} that comes back:\n")
    _say(shown.to_string(float_format="{:.2f}".format))
    _write_table(table, options.out)


def select_settings(options: argparse.Namespace) -> None:
    """Train the candidates from which defaults were chosen, and judge them on the validation split."""
    table = select(options.selection, options.out)
    _say(table.to_string(index=False, float_format="{:.3g}".format))
    _say(f"\nWritten to {options.out}")


def bench(options: argparse.Namespace) -> None:
    """Measure what each attention costs, forward and backward, as a ratio to softmax in the same run."""
    table = run_benchmark(options.out, options.rounds)
    _say(table.to_string(index=False, float_format="{:.3g}".format))
    _say(f"\nWritten to {options.out}")


def readme(options: argparse.Namespace) -> None:
    """Make the results table of a README anew, and the picture beside the results."""
    refresh(options.readme, Comparison.read(options.results))
    write_aside(options.results.parent / "settling.png", save(picture()))
    _say(f"{options.readme} shows {options.results}")


def _write_table(table: pd.DataFrame, out: Path | None) -> None:
    if out:
        write_table(out, table)
        _say(f"\nWritten to {out}")


def _say(text: str) -> None:
    print(text)  # noqa: T201


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m unroll",
        description="Attention as an unrolled optimisation algorithm: train, compare, measure.",
    )
    commands = parser.add_subparsers(required=True, metavar="command")

    def add(name: str, command: object) -> argparse.ArgumentParser:
        text = command.__doc__.strip()
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(command=command)
        return added

    comparing.add_arguments(add("study", comparing.study))
    reporting.add_arguments(add("report", reporting.report))

    training.add_arguments(add("train", training.train_one))
    dry.add_arguments(add("dry-run", dry.dry_run))

    each = add("inspect", inspect_network)
    each.add_argument("weights", type=Path, help="a file that train has written")

    each = add("solvers", try_solvers)
    each.add_argument("weights", type=Path, help="a file that train has written")
    each.add_argument("--out", type=Path, help="also write the table, one row a solver, condition and severity (CSV)")

    each = add("restore", restore_parts)
    each.add_argument("weights", type=Path, help="a file that train has written")
    each.add_argument("--severity", type=int, default=4, help="of the corruptions, 1 to 5 (%(default)s)")
    each.add_argument("--out", type=Path, help="also write the table, one row a corruption and part (CSV)")

    periphery.add_arguments(add("periphery", periphery.look_around))
    recovery.add_arguments(add("recover", recovery.recover))
    claims.add_arguments(add("claims", claims.judge))

    each = add("select", select_settings)
    each.add_argument("selection", help=f"one of {', '.join(selections.names())}")
    each.add_argument("--out", type=Path, default=Path("results/selection"), help="folder to write (%(default)s)")

    series.add_arguments(add("timeseries", series.timeseries))

    sets.add_showing(add("data", sets.show_data))
    sets.add_fetching(add("fetch", sets.fetch_sets))

    each = add("bench", bench)
    each.add_argument(
        "--rounds", type=int, default=9, help="paired runs; the median over them is reported (%(default)s)"
    )
    each.add_argument("--out", type=Path, default=Path("benchmarks"), help="folder to write (%(default)s)")

    each = add("readme", readme)
    each.add_argument(
        "--results", type=Path, default=Path("results/laptop"), help="folder of the comparison (%(default)s)"
    )
    each.add_argument("--readme", type=Path, default=Path("README.md"), help="file with the two marks (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
