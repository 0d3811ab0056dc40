"""How defaults were chosen: candidates learn from the train split and are judged on the validation split."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
from tqdm.auto import tqdm

from unroll.registry import Registry
from unroll.study.augment import RandomAffine
from unroll.study.compare import run_study
from unroll.study.entries import Entry
from unroll.study.files import write_aside
from unroll.study.recipe import Recipe
from unroll.study.settings import Settings

Candidates = dict[str, tuple[Entry, Recipe]]

selections: Registry[Candidates] = Registry("selection")

_RECIPE = Recipe(epochs=40)


def _softmax(**changes: object) -> tuple[Entry, Recipe]:
    return Entry("softmax"), replace(_RECIPE, **changes)


# The recipe is chosen for softmax attention, so that no other attention gets a recipe made for it.
selections.register("recipe")(
    {
        "default": _softmax(),
        "no augmentation": _softmax(augment=RandomAffine(0, 0, 0)),
        "shift alone": _softmax(augment=RandomAffine(0.07, 0, 0)),
        "milder: 10 degrees, 10 %": _softmax(augment=RandomAffine(0.07, 10, 0.1)),
        "learning rate 1e-3": _softmax(learning_rate=1e-3),
        "learning rate 2e-3": _softmax(learning_rate=2e-3),
        "learning rate 8e-3": _softmax(learning_rate=8e-3),
    }
)


def select(name: str, folder: Path, data: str = "mnist5k") -> pd.DataFrame:
    """Train and judge every candidate of one selection; write and return one row a candidate, in the order given.

    Raises:
        ValueError: on an unknown selection.
    """
    rows = {}
    for label, (entry, recipe) in tqdm(selections[name].items(), desc=name, unit="candidate"):
        settings = Settings((entry,), data=data, recipe=recipe, judged_on="validation")
        rows[label] = run_study(settings).summary().iloc[0]
    columns = ["clean", "gaussian noise", "token occlusion", "exact zeros", "effective tokens", "mixing", "seconds"]
    table = pd.DataFrame(rows).T[columns].rename_axis("candidate").reset_index()
    folder.mkdir(parents=True, exist_ok=True)
    write_aside(folder / f"{name}.csv", lambda path: table.to_csv(path, index=False, float_format="%.4g"))
    return table
