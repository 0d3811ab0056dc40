"""The masking check finds a gradient that was masked on purpose, and lets a healthy one pass."""

from functools import cache

import pandas as pd
import pytest
import torch
from torch import nn

from unroll.solvers import Unrolled
from unroll.study import (
    Entry,
    RandomAffine,
    Recipe,
    Size,
    accuracy,
    build,
    check_masking,
    load,
    masked,
    seed_everything,
    train,
)

EXAM = load("digits").test
BUDGET = {"epsilon": 0.08, "images": 80, "steps": 6, "queries": 40}


@cache
def trained(name: str, seed: int = 0) -> nn.Module:
    generator = seed_everything(seed)
    model = build(Entry(name), load("digits"), Size(32, 1, 2))
    recipe = Recipe(epochs=4, batch=16, learning_rate=1e-2, augment=RandomAffine(0, 0, 0))
    train(model, load("digits").train, recipe, generator)
    return model


class Quantised(nn.Module):
    """A front that rounds the pixels: a network as good as before, whose gradient is zero almost everywhere."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.model((16 * images).round() / 16)


class Stopped(Quantised):
    """A front that hides the pixels from back-propagation."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.model(images.detach())


class Saturated(Quantised):
    """Logits so large that the loss is zero to the last bit, and its gradient with it."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return 1e4 * self.model(images)


def test_networks_with_their_own_gradient_pass():
    networks = {name: trained(name) for name in ("softmax", "vars-d")}
    assert all(accuracy(model, EXAM) > 60 for model in networks.values())
    table = check_masking(networks, EXAM, solver=Unrolled(8), **BUDGET)
    assert list(table.columns) == ["attention", "attack", "source", "epsilon", "images", "accuracy"]
    found = table.set_index(["attention", "attack", "source"]).accuracy
    assert set(found.index) == {
        ("softmax", "pgd", "itself"),
        ("softmax", "fgsm", "itself"),
        ("softmax", "pgd", "vars-d"),
        ("softmax", "square", "its logits"),
        ("vars-d", "pgd", "itself"),
        ("vars-d", "fgsm", "itself"),
        ("vars-d", "pgd", "softmax"),
        ("vars-d", "pgd", "itself under Unrolled(steps=8)"),
        ("vars-d", "square", "its logits"),
    }
    verdict = masked(table).set_index("attention")
    assert not verdict.masked.any()
    # The attacks bite, so that the check could have found something, and something is left to be found.
    assert (verdict.white_box < 70).all()
    assert (found.xs("square", level="attack") < [accuracy(m, EXAM.first(80)) - 10 for m in networks.values()]).all()


@pytest.mark.parametrize("front", [Quantised, Stopped, Saturated])
def test_a_gradient_masked_on_purpose_is_found(front):
    networks = {"healthy": trained("softmax"), "masked": front(trained("softmax")).eval()}
    verdict = masked(check_masking(networks, EXAM, **BUDGET)).set_index("attention")
    assert not verdict.masked["healthy"]
    assert verdict.masked["masked"]
    assert verdict.source["masked"] == "healthy"
    # It is found without a healthy twin too, by an attack that needs no gradient.
    alone = masked(check_masking({"masked": networks["masked"]}, EXAM, **{**BUDGET, "queries": 100}))
    assert alone.masked.all()
    assert alone.attack.item() == "square"


def rows(*accuracies: float, images: int = 100) -> pd.DataFrame:
    kinds = [("pgd", "itself"), ("fgsm", "itself"), ("pgd", "b"), ("square", "its logits")]
    table = [
        {"attention": "a", "attack": attack, "source": source, "epsilon": 0.1, "images": images, "accuracy": accuracy}
        for (attack, source), accuracy in zip(kinds, accuracies, strict=True)
    ]
    return pd.DataFrame(table)


def test_the_tolerance_is_one_standard_error_of_a_share():
    verdict = masked(rows(50, 60, 48, 70)).iloc[0]
    assert verdict.tolerance == pytest.approx(100 * (0.25 / 104) ** 0.5)
    assert (verdict.white_box, verdict.other, verdict.attack, verdict.source) == (50, 48, "pgd", "b")
    assert not verdict.masked
    assert masked(rows(50, 60, 45, 70)).masked.item()
    assert masked(rows(50, 44, 60, 70)).attack.item() == "fgsm"
    assert masked(rows(50, 60, 48, 70, images=10_000)).masked.item()
    nothing = masked(rows(0, 0, 0, 0)).iloc[0]
    assert nothing.tolerance > 0
    assert not nothing.masked
    assert not masked(rows(100, 100, 99, 100)).masked.item()
    assert masked(rows(100, 100, 90, 100)).masked.item()


def test_what_cannot_be_judged_is_refused():
    with pytest.raises(ValueError, match=r"networks must hold at least one network, got none"):
        check_masking({}, EXAM)
    with pytest.raises(ValueError, match=r"images must be a whole number >= 1, got 0"):
        check_masking({"a": trained("softmax")}, EXAM, images=0)
    table = rows(50, 60, 48, 70)
    for part in (table[1:], table[:1]):
        with pytest.raises(ValueError, match=r"must hold one white-box row and others for each attention.*'a'"):
            masked(part)
