"""What was tried to find the settings of VARS: a ladder from the published ones, and draws from a space of choices."""

import random
from collections.abc import Mapping, Sequence

from unroll.problems import penalties
from unroll.solvers import FISTA, Unrolled
from unroll.study.settings import Entry

RANDOM_FEATURES = {"learned_templates": False, "learned_projection": False, "sphere": True}
_TRUE = {"published": True, "penalty": "l1"}  # the published setting with a true threshold
_BARE = {**_TRUE, "learned_gram": False}  # ... and without learned factors
_SMALL = {"templates": 32, "temperature": 1.0, "weight": 0.3, "origin": "correlation", "bound": "released"}


def _vars_d(label: str, **options: object) -> Entry:
    return Entry("vars-d", options, label)


# One rung at a time, each a question: which part of the published setting matters, and what can stand in for it?
LADDER = (
    _vars_d("published, true threshold", **_TRUE),
    _vars_d("published, no learned factors", published=True, learned_gram=False),
    _vars_d("published, true threshold, no learned factors", **_BARE),
    _vars_d("... and from zero", **_BARE, origin="zero"),
    _vars_d("random features", **RANDOM_FEATURES),
    _vars_d("learned map on random features", learned_projection=False, sphere=True),
    _vars_d("... otherwise as published", learned_projection=False, sphere=True, **_SMALL),
    _vars_d("learned projection, no map", learned_templates=False),
    _vars_d("learned readout", learned_readout=True),
    _vars_d("relative lambda 0.1", relative=True, weight=0.1),
    _vars_d("relative lambda 0.25", relative=True, weight=0.25),
    _vars_d("hard threshold", penalty="hard-threshold", weight=0.5),
)

# Every choice is drawn by itself, so that the effect of one can be read off the table, averaged over the others. All
# draws have random features: they were made before templates could be learned. A choice that is listed twice is drawn
# twice as often.
SPACE: Mapping[str, Sequence[object]] = {
    "attention": ("vars-d", "vars-d", "vars-d", "vars-sd"),
    "templates": (4, 8, 16, 32, 64),
    "temperature": (1 / 9, 1 / 3, 1.0),
    "normalisation": ("columns", "slots"),
    "penalty": ("l1", "l1", "l1", "nonnegative-l1", "group-l2", "hard-threshold", "gelu"),
    "weight": (0.0, 0.1, 0.3, 1.0, 2.0, "0.02 max|c|", "0.1 max|c|", "0.3 max|c|"),
    "learned_weight": (False, True),
    "origin": ("zero", "correlation"),
    "bound": ("schatten", "released"),
    "learned_gram": (False, False, True),
    "warm_start": (False, False, True),
    "solver": (Unrolled(1), Unrolled(2), Unrolled(5), Unrolled(5), Unrolled(10), FISTA(10)),
}


def drawn(count: int, seed: int = 0) -> tuple[Entry, ...]:
    """Return ``count`` entries drawn from :data:`SPACE`; combinations that cannot be built are drawn again."""
    generator, entries = random.Random(seed), []  # noqa: S311 (nothing here is secret)
    while len(entries) < count:
        choice = {name: generator.choice(values) for name, values in SPACE.items()}
        if _fits(choice):
            entries.append(Entry(choice.pop("attention"), _options(choice), f"trial {len(entries) + 1:02d}"))
    return tuple(entries)


def _fits(choice: Mapping[str, object]) -> bool:
    proximal = penalties[choice["penalty"]].proximal and not choice["learned_gram"]
    if isinstance(choice["solver"], FISTA) and not proximal:
        return False
    # A learned factor can outgrow a tight bound.
    return not choice["learned_gram"] or choice["bound"] == "released"


def _options(choice: Mapping[str, object]) -> dict[str, object]:
    options, weight = {**choice, **RANDOM_FEATURES}, choice["weight"]
    if isinstance(weight, str):
        options |= {"weight": float(weight.split()[0]), "relative": True}
    if choice["warm_start"]:
        options["projection_seed"] = 0
    return options
