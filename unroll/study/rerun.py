"""The same trained weights in networks that run another way, and what these networks are worth."""

import copy
from collections.abc import Callable, Iterable, Mapping

import pandas as pd

from unroll.attention import Attention
from unroll.models import ImageModel
from unroll.study.data import Split
from unroll.study.robustness import STANDARD, spoiled
from unroll.study.training import accuracy


def with_attentions(model: ImageModel, change: Callable[[Attention], Attention]) -> ImageModel:
    """Return a copy of a network with ``change`` of each of its attentions; all else is shared, weights and all."""
    other = copy.copy(model)
    other._modules = dict(model._modules)
    other.blocks = copy.copy(model.blocks)
    other.blocks._modules = {}
    for name, block in model.blocks.named_children():
        rebuilt = copy.copy(block)
        rebuilt._modules = dict(block._modules)
        rebuilt.attention = change(block.attention)
        other.blocks.add_module(name, rebuilt)
    return other


def judged(
    column: str, runs: Mapping[object, ImageModel], data: Split, conditions: Iterable[str] = STANDARD
) -> pd.DataFrame:
    """Return accuracy (%) of several networks, clean and under ``conditions``: one row a network and severity.

    The first column, ``column``, holds the keys of ``runs``. Attacks are made for each network, through it.
    """
    conditions, rows = tuple(conditions), []
    for label, model in runs.items():
        rows.append({column: label, "condition": "clean", "severity": 0, "accuracy": accuracy(model, data)})
        for condition, severity, images in spoiled(model, data, conditions):
            measured = accuracy(model, images)
            rows.append({column: label, "condition": condition, "severity": severity, "accuracy": measured})
    return pd.DataFrame(rows)
