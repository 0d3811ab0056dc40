"""Every public name tells a reader what it is: shapes where there are tensors, what it raises, an example that runs."""

import ast
import importlib
import inspect
import re
import textwrap
from types import FunctionType
from typing import get_type_hints

import pytest
from torch import Tensor

from unroll.registry import Registry

WINGS = (
    "unroll",
    *(f"unroll.{name}" for name in ("problems", "solvers", "attention", "models", "models.lista", "study")),
)

# What cannot hold a docstring of its own, and where it is told instead.
PLAIN = {
    "BOUNDS": "a dictionary of functions that have examples",
    "COMMON": "a tuple of names",
    "SEVERITIES": "a tuple of numbers",
    "Readout": "an alias of a type",
}
# Examples that are shown but not run, or cannot be.
NOT_RUN = {
    "autoattack": "it needs torchattacks, which is not among the requirements",
    "fetch": "it needs a network",
    "published_copy": "it needs files that are fetched",
}


def public() -> dict[str, object]:
    """Return each public object once, under the name of the first wing that has it."""
    found = {}
    for wing in map(importlib.import_module, WINGS):
        for name in wing.__all__:
            thing = getattr(wing, name)
            if name not in PLAIN and not isinstance(thing, Registry) and thing not in found.values():
                found[f"{wing.__name__}.{name}"] = thing
    return found


PUBLIC = public()
EVERY = pytest.mark.parametrize("thing", PUBLIC.values(), ids=PUBLIC)


def told(thing: object) -> str:
    """Return the docstring that a thing has itself: one that a class inherits tells of something else."""
    return inspect.cleandoc(vars(thing).get("__doc__") or "") if inspect.isclass(thing) else inspect.getdoc(thing) or ""


def makers(thing: object) -> list[FunctionType]:
    """Return the functions that run when a thing is called, as far as they are its own."""
    if not inspect.isclass(thing):
        return [inspect.unwrap(thing)]
    own = (vars(thing).get(name) for name in ("__init__", "__post_init__"))
    return [function for function in own if isinstance(function, FunctionType)]


def raises(function: FunctionType) -> bool:
    """Whether a function raises or validates itself."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except OSError:  # written by dataclass
        return False
    checks = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    asks = any(isinstance(f, ast.Attribute) and getattr(f.value, "id", "") == "validate" for f in checks)
    return asks or any(isinstance(node, ast.Raise) for node in ast.walk(tree))


@EVERY
def test_it_says_what_it_is(thing):
    first = told(thing).split("\n\n")[0]
    assert first, "no docstring of its own"
    assert not first.startswith(f"{thing.__name__}("), "the signature that a dataclass writes is no docstring"
    assert re.search(r"[.:](\s|$)", first), "the first paragraph is no sentence"


@EVERY
def test_it_shows_an_example(thing):
    if isinstance(thing, type) and issubclass(thing, Exception):
        pytest.skip("an exception is shown where it is raised")
    lines = [line for line in told(thing).splitlines() if line.lstrip().startswith(">>>")]
    assert lines, "no example"
    if thing.__name__ not in NOT_RUN:
        assert not [line for line in lines if "+SKIP" in line], "an example that does not run"


@EVERY
def test_it_gives_the_shapes_of_bare_tensors(thing):
    if isinstance(thing, type) and issubclass(thing, Exception):
        return
    for function in makers(thing):
        hints = get_type_hints(function, include_extras=True)
        if Tensor in hints.values():
            assert "[" in told(thing).split("Example:")[0] or "hape" in told(thing), "no shape"


@EVERY
def test_it_says_what_it_raises(thing):
    if any(map(raises, makers(thing))):
        assert "Raises:" in told(thing)


def test_every_exception_from_these_rules_is_still_needed():
    names = {name.rsplit(".", 1)[1]: thing for name, thing in PUBLIC.items()}
    assert all("+SKIP" in told(names[name]) for name in NOT_RUN)
    everything = {name for wing in WINGS for name in importlib.import_module(wing).__all__}
    assert set(PLAIN) <= everything
