"""One run: train one entry with one seed, then measure convergence, sparsity and robustness."""

from collections.abc import Iterator

import torch
from torch import Tensor

from unroll.attention import IterativeAttention
from unroll.models import ImageModel
from unroll.study.data import Dataset, Split
from unroll.study.metrics import along_layers, convergence, fixed_point_report, loudness, mixing
from unroll.study.robustness import spoiled
from unroll.study.settings import Entry, Settings, build
from unroll.study.training import History, accuracy, pick_device, seed_everything, train

MAP_IMAGES = 32  # maps, codes and traces are measured on the first images of the split that is judged on
LOOKED_AT = (0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100)  # steps of the solver

Row = dict[str, object]


def run(entry: Entry, seed: int, settings: Settings, data: Dataset) -> tuple[list[Row], ImageModel]:
    """Train and measure; return rows of the tidy table, and the trained network.

    A row holds attention, seed, measure, condition, level and value. Levels are severities for robustness, epochs for
    training, calls of step for the residual, and 0 elsewhere; conditions name the corruption or the layer.
    """
    generator = seed_everything(seed)
    model = build(entry, data, settings.size).to(pick_device())
    lessons, exam = (data.development, data.test) if settings.judged_on == "test" else (data.train, data.validation)
    history = train(model, lessons, settings.recipe, generator, label=f"{entry.label}, seed {seed}")
    rows = [*_of_training(model, history), *_robustness(model, exam, settings.conditions), *_inside(model, exam)]
    return [{"attention": entry.label, "seed": seed, **row} for row in rows], model


def _row(measure: str, condition: str, level: int, value: float) -> Row:
    return {"measure": measure, "condition": condition, "level": level, "value": value}


def _of_training(model: ImageModel, history: History) -> Iterator[Row]:
    for epoch, loss in enumerate(history.loss, start=1):
        yield _row("training loss", "training", epoch, loss)
    yield _row("training seconds", "training", 0, history.seconds)
    yield _row("parameters", "training", 0, sum(p.numel() for p in model.parameters()))


def _robustness(model: ImageModel, exam: Split, conditions: tuple[str, ...]) -> Iterator[Row]:
    yield _row("accuracy", "clean", 0, accuracy(model, exam))
    for name, severity, images in spoiled(model, exam, conditions):
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
    """Yield each attention layer of a model with the tokens that it sees on the first images, [B, N, C]."""
    model.eval()
    device = next(model.parameters()).device
    seen = model.attention_inputs(data.first(images).images.to(device))
    for block, x in zip(model.blocks, seen, strict=True):
        yield block.attention, x
