"""What was tried to find the settings of VARS: a ladder from the published ones, and draws from a space of choices."""

import random
from collections.abc import Mapping, Sequence

from unroll.problems import penalties
from unroll.solvers import FISTA, Unrolled
from unroll.study.entries import Entry

_RANDOM = {"learned_templates": False, "learned_projection": False, "sphere": True}
_TRUE = {"published": True, "penalty": "l1"}  # the published setting with a true threshold
_BARE = {**_TRUE, "learned_gram": False}  # ... and without learned factors
_FACTORS = {"learned_gram": True, "bound": "released"}
_SMALL = {"templates": 32, "temperature": 1.0, "weight": 0.3, "origin": "correlation", "bound": "released"}


def _vars_d(label: str, **options: object) -> Entry:
    return Entry("vars-d", options, label)


def _each(option: str, *values: object) -> tuple[Mapping[str, object], ...]:
    """Return one choice a value."""
    return tuple({option: value} for value in values)


# One rung at a time, each a question: which part of the published setting matters, and what can stand in for it?
LADDER = (
    _vars_d("published, true threshold", **_TRUE),
    _vars_d("published, no learned factors", published=True, learned_gram=False),
    _vars_d("published, true threshold, no learned factors", **_BARE),
    _vars_d("... and from zero", **_BARE, origin="zero"),
    _vars_d("random features", **_RANDOM),
    _vars_d("learned map on random features", learned_projection=False, sphere=True),
    _vars_d("... otherwise as published", learned_projection=False, sphere=True, **_SMALL),
    _vars_d("learned projection, no map", learned_templates=False),
    _vars_d("learned readout", learned_readout=True),
    _vars_d("relative lambda 0.1", relative=True, weight=0.1),
    _vars_d("relative lambda 0.25", relative=True, weight=0.25),
    _vars_d("hard threshold", penalty="hard-threshold", weight=0.5),
    _vars_d("learned readout, 8 templates", learned_readout=True, templates=8),
    _vars_d("learned readout, 32 templates", learned_readout=True, templates=32),
    _vars_d("learned inhibition", learned_inhibition=True),
    _vars_d("learned inhibition and readout", learned_inhibition=True, learned_readout=True),
    _vars_d("learned factors", **_FACTORS),
    _vars_d("learned factors and readout", **_FACTORS, learned_readout=True),
    _vars_d("... from the correlation", **_FACTORS, learned_readout=True, origin="correlation"),
    _vars_d("... with the GELU shrinkage", **_FACTORS, learned_readout=True, origin="correlation", penalty="gelu"),
)

# What came of draw 10 changed in one choice, and of the published setting with thresholds that bite.
DRAW_10 = {"learned_templates": False, "sphere": True, "learned_readout": True, "solver": FISTA(10)}
VARIATIONS = (
    _vars_d("published, hard threshold 5", published=True, penalty="hard-threshold", weight=5.0),
    _vars_d("published, true threshold 5", published=True, penalty="l1", weight=5.0),
    _vars_d("draw 10, from the correlation", **DRAW_10, origin="correlation"),
    _vars_d("draw 10, ten plain steps", **DRAW_10 | {"solver": Unrolled(10)}),
    _vars_d("draw 10, temperature 1", **DRAW_10, temperature=1.0),
)

# Every choice is drawn by itself, so that the effect of one can be read off the table, averaged over the others.
# What is listed twice is drawn twice as often.
SPACE: Mapping[str, Sequence[Mapping[str, object]]] = {
    "templates": _each("templates", 8, 16, 32),
    "temperature": _each("temperature", 1 / 3, 1.0),
    "normalisation": _each("normalisation", "columns", "columns", "slots"),
    "penalty": _each("penalty", "l1", "l1", "nonnegative-l1", "group-l2", "hard-threshold", "gelu"),
    "lambda": (
        *_each("weight", 0.3, 1.0, 2.0),
        {"weight": 0.1, "relative": True},
        {"weight": 0.25, "relative": True},
    ),
    "learned lambda": _each("learned_weight", False, True),
    "dictionary": (
        {},
        {},
        {"learned_templates": False},
        {"learned_projection": False},
        {"learned_templates": False, "learned_projection": False, "warm_start": True, "projection_seed": 0},
    ),
    "sphere": _each("sphere", False, True),
    "readout": _each("learned_readout", False, True),
    # A learned factor can outgrow a tight bound.
    "factors": ({}, {}, {"learned_gram": True, "bound": "released"}),
    "origin": _each("origin", "zero", "correlation"),
    "solver": _each("solver", Unrolled(2), Unrolled(5), Unrolled(5), Unrolled(10), FISTA(10)),
}


def drawn(count: int, seed: int = 0) -> tuple[Entry, ...]:
    """Return ``count`` entries drawn from :data:`SPACE`, one in six with static templates too.

    A combination that cannot be built is drawn again.
    """
    generator, entries = random.Random(seed), []  # noqa: S311 (nothing here is secret)
    while len(entries) < count:
        attention = generator.choice(("vars-d",) * 5 + ("vars-sd",))
        options = {}
        for choices in SPACE.values():
            options |= generator.choice(choices)
        if _fits(options):
            entries.append(Entry(attention, options, f"draw {len(entries) + 1:02d}"))
    return tuple(entries)


def _fits(options: Mapping[str, object]) -> bool:
    """Say whether FISTA, if it was drawn, has a convex energy to work on."""
    proximal = penalties[options["penalty"]].proximal and "learned_gram" not in options
    return proximal or not isinstance(options["solver"], FISTA)
