"""python -m unroll study: run a comparison and write what it says."""

import argparse
from dataclasses import replace
from pathlib import Path

from unroll.attention import names
from unroll.study.compare import run_study
from unroll.study.data import datasets
from unroll.study.entries import Entry
from unroll.study.page import write_page
from unroll.study.presets import presets
from unroll.study.processes import processes
from unroll.study.report import markdown
from unroll.study.store import Store


def study(options: argparse.Namespace) -> None:
    """Run a comparison and write its table, configuration and figures."""
    preset = settings = presets[options.preset]
    if options.attentions:
        settings = replace(settings, entries=tuple(Entry(name) for name in options.attentions))
    if options.data is not None:
        settings = replace(settings, data=options.data)
    if options.seeds is not None:
        settings = replace(settings, seeds=tuple(range(options.seeds)))
    if options.epochs is not None:
        settings = replace(settings, recipe=replace(settings.recipe, epochs=options.epochs))
    # results/ holds what a preset makes, unchanged; everything else goes to runs/.
    folder = options.out or Path("results" if settings == preset else "runs") / options.preset
    store = Store(options.store)
    comparison = run_study(settings, store, options.part)
    if comparison is None:
        if processes().is_main_process:
            print("This part is done; the comparison is written once the other parts are.")  # noqa: T201
        return
    comparison.save(folder)
    for entry in settings.entries if options.networks else ():
        name = entry.label.replace(", ", "-").replace(" ", "-")
        store.run(entry, settings.seeds[0], settings).network().save(folder / "networks" / f"{name}.safetensors")
    write_page(comparison, folder)
    print(markdown(comparison))  # noqa: T201
    print(f"\nWritten to {folder}: " + ", ".join(sorted(path.name for path in folder.iterdir())))  # noqa: T201


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`study` to a parser."""
    parser.add_argument(
        "--preset", default="quick", help=f"settings to start from: {', '.join(presets.names())} (%(default)s)"
    )
    parser.add_argument("--attentions", nargs="+", help=f"compare these instead: {', '.join(names())}")
    parser.add_argument("--data", help=f"data set instead of the preset's: {', '.join(datasets.names())}")
    parser.add_argument("--seeds", type=int, help="number of seeds instead of the preset's")
    parser.add_argument("--epochs", type=int, help="passes over the data instead of the preset's")
    parser.add_argument(
        "--out", type=Path, help="folder to write; results/PRESET, or runs/PRESET when a setting is changed"
    )
    parser.add_argument(
        "--store",
        type=Path,
        default=Path("runs/store"),
        help="folder of finished runs, which are never repeated (%(default)s)",
    )
    parser.add_argument("--networks", action="store_true", help="also write the networks of the first seed")
    parser.add_argument(
        "--part", type=part, default=(0, 1), help="K/N makes every N-th run only: start N processes that share a store"
    )


def part(text: str) -> tuple[int, int]:
    """Read K/N as (K - 1, N)."""
    k, _, n = text.partition("/")
    if not (k.isdigit() and n.isdigit() and 1 <= int(k) <= int(n)):
        raise argparse.ArgumentTypeError(f"must be K/N with 1 <= K <= N, such as 1/2, got {text!r}")
    return int(k) - 1, int(n)
