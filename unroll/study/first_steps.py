"""What a study will cost, from the first steps of its trainings: seconds a step, and memory at its peak."""

import math
from dataclasses import replace

import pandas as pd
from tqdm.auto import tqdm

from unroll import validate
from unroll.study.data import Dataset, load
from unroll.study.entries import build
from unroll.study.experiment import lessons
from unroll.study.memory import peak_bytes
from unroll.study.processes import pick_device
from unroll.study.settings import Settings
from unroll.study.training import seed_everything, train


def first_steps(settings: Settings, steps: int = 3, data: Dataset | None = None) -> pd.DataFrame:
    """Take the first steps of each training of a study, with its full sizes, and return one row an entry.

    Columns: attention, parameters, seconds a step, peak MB (10^6 bytes of weights, gradients, moments, the images of a
    step and what it keeps, see :func:`unroll.study.memory.peak_bytes`; the rest of the data is not in it), and the
    minutes that all steps of one training would take.

    Args:
        settings: the study.
        steps: how many steps are timed, after one that is not.
        data: stands in for the study's own, which is loaded when None.

    Raises:
        ValueError: when steps is not a whole number above zero.
        DataError: when the study's data cannot be loaded.

    Example:
        >>> from unroll.study import Entry, Recipe, Settings, Size
        >>> small = Settings((Entry("softmax"),), data="digits", size=Size(dim=16, depth=1, heads=2))
        >>> first_steps(small, steps=1)[["attention", "parameters"]]
          attention  parameters
        0   softmax        2762
    """
    validate.count("steps", steps)
    data, device, recipe, rows = data or load(settings.data), pick_device(), settings.recipe, []
    split = lessons(settings, data)
    once = replace(recipe, epochs=1)
    for entry in tqdm(settings.entries, desc="first steps", unit="entry"):
        generator = seed_everything(settings.seeds[0])
        model = build(entry, data, settings.size).to(device)
        few = split.first(steps * recipe.batch)
        first = replace(split, images=split.images[: recipe.batch].clone(), labels=split.labels[: recipe.batch])
        plain = replace(once, compile=False)  # a compiled step shows none of its tensors
        peak = peak_bytes(lambda: train(model, first, plain, generator), device)  # noqa: B023 (called at once)
        if recipe.compile:
            train(model, first, once, generator)
        seconds = train(model, few, once, generator).seconds / math.ceil(len(few) / recipe.batch)
        rows.append(
            {
                "attention": entry.label,
                "parameters": sum(p.numel() for p in model.parameters()),
                "seconds a step": seconds,
                "peak MB": peak / 1e6,
                "minutes a training": seconds * recipe.epochs * math.ceil(len(split) / recipe.batch) / 60,
            }
        )
    return pd.DataFrame(rows)
