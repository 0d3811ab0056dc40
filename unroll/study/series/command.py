"""python -m unroll timeseries: run the study on time series and write what it says."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from unroll.study.compare import CONFIGURATION, TABLE
from unroll.study.environment import describe_environment
from unroll.study.figures import save
from unroll.study.files import write_aside, write_table
from unroll.study.processes import pick_device
from unroll.study.series.contenders import contenders
from unroll.study.series.data import series_sets
from unroll.study.series.figure import changes, ranking
from unroll.study.series.study import SETS, SeriesOutcome, SeriesSettings, run_series_study
from unroll.study.series.training import SeriesRecipe
from unroll.study.series.verdict import critical_difference, friedman, gains, ranks, scores
from unroll.study.study_command import part

GAINS, MAPS, RANKING, MAPS_DRAWN = "gains.csv", "maps.csv", "ranking.png", "maps.png"


def timeseries(options: argparse.Namespace) -> None:
    """Compare evolving attention and its parts on time series, and write table, ranks and intervals."""
    settings = SeriesSettings(
        models=tuple(options.models),
        sets=tuple(options.sets),
        seeds=tuple(range(options.seeds)),
        recipe=SeriesRecipe(epochs=options.epochs),
        longest=options.longest or None,
    )
    # results/ holds what the study as it stands makes; everything else goes to runs/.
    folder = options.out or Path("results" if settings == SeriesSettings() else "runs") / "timeseries"
    outcome = run_series_study(settings, options.store, options.part)
    if outcome is None:
        _say("This part is done; the study is written once the other parts are.")
        return
    write_study(outcome, settings, folder)
    _say(told(outcome.table))
    _say(f"\nWritten to {folder}: " + ", ".join(sorted(path.name for path in folder.iterdir())))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    defaults = SeriesSettings()
    models, sets = ", ".join(contenders.names()), ", ".join(series_sets.names())
    parser.add_argument("--models", nargs="+", default=defaults.models, help=f"who is compared, of: {models}")
    parser.add_argument("--sets", nargs="+", default=SETS, help=f"on what, of: {sets}; all when not given")
    parser.add_argument("--seeds", type=int, default=len(defaults.seeds), help="number of seeds (%(default)s)")
    parser.add_argument(
        "--epochs", type=int, default=defaults.recipe.epochs, help="passes over the training series (%(default)s)"
    )
    parser.add_argument(
        "--longest",
        type=int,
        default=defaults.longest,
        help="steps to which longer series are shortened, 0 for as they are (%(default)s)",
    )
    parser.add_argument(
        "--out", type=Path, help="folder to write; results/timeseries, or runs/timeseries when a setting is changed"
    )
    parser.add_argument(
        "--store",
        type=Path,
        default=Path("runs/timeseries-store"),
        help="folder of finished runs, which are never repeated (%(default)s)",
    )
    parser.add_argument("--part", type=part, default=(0, 1), help="K/N makes every N-th run only, as for study")


def write_study(outcome: SeriesOutcome, settings: SeriesSettings, folder: Path) -> None:
    """Write the tables, what they say, and the settings, each in one move."""
    table = outcome.table
    write_table(folder / TABLE, table)
    write_table(folder / MAPS, outcome.maps)
    if len(outcome.maps):
        write_aside(folder / MAPS_DRAWN, save(changes(outcome.maps)))
    configuration = {**asdict(settings), "environment": describe_environment(pick_device())}
    write_aside(folder / CONFIGURATION, lambda path: path.write_text(json.dumps(configuration, indent=2) + "\n"))
    if len(settings.models) > 1:
        against = gains(table, settings.models[0])
        write_aside(folder / GAINS, lambda path: against.to_csv(path, index=False, float_format="%.4g"))
        write_aside(folder / RANKING, save(ranking(table)))


def told(table: pd.DataFrame) -> str:
    """Return in words and numbers what the table says."""
    models = table["model"].unique()
    lines = [scores(table).to_string(float_format="{:.2f}".format)]
    seconds = table.pivot_table(index="set", columns="model", values="seconds", sort=False)
    lines += ["", "seconds a run", seconds.to_string(float_format="{:.0f}".format)]
    if len(models) > 1:
        count, equal = table["set"].nunique(), friedman(table)
        limit = critical_difference(len(models), count)
        lines += ["", f"average rank over {count} sets; critical difference {limit:.2f}"]
        lines += [ranks(table).mean().to_string(float_format="{:.2f}".format)]
        lines += [] if equal is None else [f"Friedman's test that all are equal: p = {equal:.2g}"]
        against = gains(table, models[0])
        lines += ["", f"gain over {models[0]}, paired by seed (points of accuracy, or per cent of the error)"]
        lines += [against.to_string(index=False, float_format="{:+.2f}".format)]
    return "\n".join(lines)


def _say(text: str) -> None:
    print(text)  # noqa: T201
