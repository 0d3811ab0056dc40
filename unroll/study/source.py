"""What a number depends on beside its settings: the part of this package's source that made it."""

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
# What a trained network went through, and what is measured of it; the rest may change without making it another.
_NETWORK = (
    "problems",
    "solvers",
    "attention",
    "models",
    *(f"study/{name}.py" for name in ("augment", "crop_flip", "data", "entries", "progress", "recipe", "training")),
    *(f"study/sets/{name}.py" for name in ("batches", "folders", "formats", "official", "splitting")),
)
PARTS: dict[str, tuple[str, ...]] = {
    "training": _NETWORK,
    "measuring": (
        *_NETWORK,
        "study/attacks",
        "study/corruptions",
        *(f"study/{name}.py" for name in ("asked", "calibration", "experiment", "masking", "metrics")),
        *(f"study/{name}.py" for name in ("other_solvers", "rerun", "robustness", "temperature")),
        "study/sets/corrupted.py",
    ),
}


@cache
def fingerprint(part: str) -> str:
    """Return a hash of the source that a ``part`` of the work runs through, comments, docstrings and layout aside."""
    total = hashlib.sha256()
    for name in PARTS[part]:
        path = PACKAGE / name
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path] if path.is_file() else []:
            total.update(meaning(file.read_text()).encode())
    return total.hexdigest()


def meaning(source: str) -> str:
    """Return what Python source does, as one text that is the same under every version of Python.

    Example:
        >>> meaning("x = 1  # one") == meaning("x = (1)")
        True
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return repr(_plain(tree))


def _plain(node: object) -> object:
    """Return a syntax tree as nested lists. Empty fields are left out: newer versions of Python have more of them."""
    if isinstance(node, list):
        return [_plain(each) for each in node]
    if not isinstance(node, ast.AST):
        return node
    fields = ((name, value) for name, value in ast.iter_fields(node) if value is not None and value != [])
    return [type(node).__name__, *((name, _plain(value)) for name, value in fields)]
