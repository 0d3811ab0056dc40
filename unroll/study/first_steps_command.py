"""python -m unroll dry-run: what a study will cost."""

import argparse
from dataclasses import replace
from pathlib import Path

from unroll.study.files import write_table
from unroll.study.first_steps import first_steps
from unroll.study.presets import presets
from unroll.study.sets import needs_fetching, stand_in


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`dry_run`."""
    parser.add_argument(
        "--preset", default="quick", help=f"the study to try: {', '.join(presets.names())} (%(default)s)"
    )
    parser.add_argument("--steps", type=int, default=3, help="steps that are timed (%(default)s)")
    parser.add_argument("--batch", type=int, help="images a step instead of the preset's")
    parser.add_argument("--out", type=Path, help="also write the table (CSV)")


def dry_run(options: argparse.Namespace) -> None:
    """Take the first steps of each training of a study, on noise where data has to be fetched; say what they cost."""
    settings = presets[options.preset]
    if options.batch is not None:
        settings = replace(settings, recipe=replace(settings.recipe, batch=options.batch))
    noise = needs_fetching(settings.data)
    data = stand_in(settings.data, images=(options.steps + 1) * settings.recipe.batch) if noise else None
    table = first_steps(settings, options.steps, data)
    if noise:  # whose size says nothing of how long a training takes
        table = table.drop(columns="minutes a training")
    table.insert(1, "batch", settings.recipe.batch)
    print(table.to_string(index=False, float_format="{:.3g}".format))  # noqa: T201
    if options.out:
        write_table(options.out, table)
        print(f"\nWritten to {options.out}")  # noqa: T201
