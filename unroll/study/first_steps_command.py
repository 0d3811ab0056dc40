"""python -m unroll dry-run: what a study will cost."""

import argparse
from dataclasses import replace
from pathlib import Path

import pandas as pd

from unroll.study.environment import describe_environment
from unroll.study.files import write_table
from unroll.study.first_steps import first_steps
from unroll.study.presets import presets
from unroll.study.processes import pick_device
from unroll.study.sets import needs_fetching, stand_in
from unroll.study.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`dry_run`."""
    parser.add_argument(
        "--preset",
        nargs="+",
        default=["quick"],
        help=f"the studies to try, one or more of {', '.join(presets.names())} (quick)",
    )
    parser.add_argument("--steps", type=int, default=3, help="steps that are timed (%(default)s)")
    parser.add_argument("--batch", type=int, help="images a step instead of the preset's")
    parser.add_argument("--eager", action="store_true", help="without torch.compile, which takes minutes a network")
    parser.add_argument("--out", type=Path, help="also write the table (CSV)")


def dry_run(options: argparse.Namespace) -> None:
    """Take the first steps of each training of studies, on noise where data has to be fetched; say what they cost."""
    studies = {name: presets[name] for name in options.preset}
    table = pd.concat([_tried(name, study, options) for name, study in studies.items()], ignore_index=True)
    table = table.dropna(axis="columns", how="all")
    print(table.to_string(index=False, float_format="{:.3g}".format, na_rep="–"))  # noqa: T201
    if options.out:
        write_table(options.out, table)
        print(f"\nWritten to {options.out}")  # noqa: T201


def _tried(name: str, settings: Settings, options: argparse.Namespace) -> pd.DataFrame:
    recipe = settings.recipe
    if options.batch is not None:
        recipe = replace(recipe, batch=options.batch)
    settings = replace(settings, recipe=replace(recipe, compile=recipe.compile and not options.eager))
    noise = needs_fetching(settings.data)
    data = stand_in(settings.data, images=(options.steps + 1) * settings.recipe.batch) if noise else None
    table = first_steps(settings, options.steps, data)
    if noise:  # whose size says nothing of how long a training takes
        table["minutes a training"] = float("nan")
    made = describe_environment(pick_device())
    return table.assign(preset=name, batch=settings.recipe.batch, device=made.get("accelerator", made["device"]))[
        ["preset", "attention", "device", "batch", *table.columns[1:]]
    ]
