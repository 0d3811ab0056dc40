"""python -m unroll dry-run: what a study will cost."""

import argparse

from unroll.study.first_steps import first_steps
from unroll.study.presets import presets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`dry_run`."""
    parser.add_argument(
        "--preset", default="quick", help=f"the study to try: {', '.join(presets.names())} (%(default)s)"
    )
    parser.add_argument("--steps", type=int, default=3, help="steps that are timed (%(default)s)")


def dry_run(options: argparse.Namespace) -> None:
    """Take the first steps of each training of a study, and say what they cost in time and memory."""
    table = first_steps(presets[options.preset], options.steps)
    print(table.to_string(index=False, float_format="{:.3g}".format))  # noqa: T201
