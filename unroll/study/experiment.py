"""One run: train one entry with one seed, then measure convergence, sparsity and robustness."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from unroll.attention import IterativeAttention
from unroll.models import ImageModel
from unroll.study.calibration import calibration_error
from unroll.study.data import Dataset, Split
from unroll.study.entries import Entry, build
from unroll.study.metrics import along_layers, convergence, fixed_point_report, loudness, mixing
from unroll.study.processes import agreed, pick_device, processes
from unroll.study.robustness import spoiled
from unroll.study.settings import Settings
from unroll.study.store import Run
from unroll.study.training import History, accuracy, seed_everything, train

MAP_IMAGES = 32  # maps, codes and traces are measured on the first images of the split that is judged on
LOOKED_AT = (0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100)  # steps of the solver

Row = dict[str, object]


def train_entry(
    entry: Entry, seed: int, settings: Settings, data: Dataset, checkpoint: Path | None = None
) -> tuple[ImageModel, list[Row]]:
    """Train one entry with one seed, or go on from a checkpoint; return the network, and rows on its training."""
    generator = seed_everything(seed)
    model = build(entry, data, settings.size).to(pick_device())
    label = f"{entry.label}, seed {seed}"
    history = train(model, lessons(settings, data), settings.recipe, generator, label=label, checkpoint=checkpoint)
    return model, list(_of_training(model, history))


def complete(run: Run, data: Dataset) -> None:
    """Train a run's network and measure it, as far as that has not been done.

    All processes that train together call it; the first one keeps and measures the network while the others wait.
    """
    first = processes().is_main_process
    if not agreed(run.trained):
        model, rows = train_entry(run.entry, run.seed, run.settings, data, run.checkpoint)
        if first:
            run.keep_network(model, pd.DataFrame(rows))
    if first:
        _measure(run, data)
    processes().wait_for_everyone()


def _measure(run: Run, data: Dataset) -> None:
    wanted = {name: measure for name, measure in measurements(run.settings).items() if run.table(name) is None}
    if wanted:
        model, exam = run.network().model.to(pick_device()), judged_split(run.settings, data)
        for name, measure in wanted.items():
            run.keep(name, pd.DataFrame(measure(model, exam)))


def finished(run: Run) -> pd.DataFrame | None:
    """Return the rows of a run with its attention and seed, or None while something is missing."""
    tables = [run.table(name) for name in measurements(run.settings)]
    if not run.trained or any(table is None for table in tables):
        return None
    table = pd.concat([run.training(), *tables], ignore_index=True)
    table.insert(0, "attention", run.entry.label)
    table.insert(1, "seed", run.seed)
    return table


def lessons(settings: Settings, data: Dataset) -> Split:
    """Return the split that the networks of a study learn from."""
    return data.development if settings.judged_on == "test" else data.train


def judged_split(settings: Settings, data: Dataset) -> Split:
    """Return the split that the networks of a study are judged on."""
    return data.test if settings.judged_on == "test" else data.validation


def measurements(settings: Settings) -> dict[str, Callable[[ImageModel, Split], Iterable[Row]]]:
    """Return what is measured of each trained network, by name: clean images, each condition, the layers inside.

    A row holds measure, condition, level and value. Levels are severities for robustness, epochs for training, calls of
    step for the residual, and 0 elsewhere; conditions name the corruption or the layer.
    """
    conditions = {name: partial(_under, name=name) for name in settings.conditions}
    return {"clean": _clean, **conditions, "inside": _inside}


def _row(measure: str, condition: str, level: int, value: float) -> Row:
    return {"measure": measure, "condition": condition, "level": level, "value": value}


def _of_training(model: ImageModel, history: History) -> Iterator[Row]:
    for epoch, loss in enumerate(history.loss, start=1):
        yield _row("training loss", "training", epoch, loss)
    yield _row("training seconds", "training", 0, history.seconds)
    yield _row("parameters", "training", 0, sum(p.numel() for p in model.parameters()))


def _clean(model: ImageModel, exam: Split) -> Iterator[Row]:
    yield _row("accuracy", "clean", 0, accuracy(model, exam))
    yield _row("calibration error", "clean", 0, calibration_error(model, exam))


def _under(model: ImageModel, exam: Split, name: str) -> Iterator[Row]:
    for _, severity, images in spoiled(model, exam, (name,)):
        yield _row("accuracy", name, severity, accuracy(model, images))


def _inside(model: ImageModel, exam: Split) -> Iterator[Row]:
    """Look at each attention layer on the tokens that it sees in the trained network."""
    for index, ratio in enumerate(loudness(model, exam.first(MAP_IMAGES).images)):
        yield _row("loudness", f"layer {index + 1}", 0, ratio)
    maps = model.attention_maps(exam.first(MAP_IMAGES).images.to(model.mean.device))
    for measure, number, value in along_layers(maps):
        yield _row(measure, f"layer {number}", 0, value)
    for index, (layer, x) in enumerate(attention_layers(model, exam)):
        where = f"layer {index + 1}"
        yield _row("mixing", where, 0, mixing(maps[index]))
        if not isinstance(layer, IterativeAttention):
            continue
        report = fixed_point_report(layer, x)
        yield _row("exact zeros", where, 0, report.zeros)
        yield _row("reconstruction error", where, 0, report.error)
        yield _row("gain", where, 0, report.gain)
        if report.distance is not None:
            yield _row("distance to fixed point", where, 0, report.distance)
        yield _row("residual where it stops", where, 0, report.residual)
        course = convergence(layer, x, LOOKED_AT[-1])
        for nfe in LOOKED_AT:
            yield _row("residual", where, nfe, course[nfe].item())


@torch.no_grad()
def attention_layers(
    model: ImageModel, data: Split, images: int = MAP_IMAGES
) -> Iterator[tuple[torch.nn.Module, Tensor]]:
    """Yield each attention layer of a model with the tokens that it sees on the first images, [B, N, C].

    Example:
        >>> from unroll.study import Entry, Size, load
        >>> digits = load("digits")
        >>> model = build(Entry("softmax"), digits, Size(16, 2, 2))
        >>> [tuple(tokens.shape) for _, tokens in attention_layers(model, digits.test, images=8)]
        [(8, 16, 16), (8, 16, 16)]
    """
    model.eval()
    device = next(model.parameters()).device
    seen = model.attention_inputs(data.first(images).images.to(device))
    for block, x in zip(model.blocks, seen, strict=True):
        yield block.attention, x
