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
    """Return Python source without what does not change what it does.

    Example:
        >>> meaning("def double(x):  # twice\\n    '''Return 2 x.'''\\n    return (2 * x)")
        'def double(x):\\n    return 2 * x'
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)
