"""Attacks: what they may change, and that they find what there is to be found."""

from dataclasses import replace
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import small_model
from torch import nn
from torch.nn import functional as F

from unroll.study import NonFiniteLossError, accuracy, load
from unroll.study.attacks import adversarial_patch, attacks, autoattack, fgsm, pgd, square_attack
from unroll.study.attacks.attack import losses_and_slope, margin
from unroll.study.attacks.auto import INSTALLED
from unroll.study.attacks.squares import side
from unroll.study.robustness import spoiled

DATA = load("digits").test.first(24)
QUICK = {
    "fgsm": lambda model, data, **o: fgsm(model, data, 0.05, **o),
    "pgd": lambda model, data, **o: pgd(model, data, 0.05, steps=3, **o),
    "adversarial patch": lambda model, data, **o: adversarial_patch(model, data, 2, steps=3, **o),
    "square": lambda model, data, **o: square_attack(model, data, 0.05, queries=5, **o),
}


class Linear(nn.Module):
    """Two classes, told apart by one linear map of the pixels: its worst images are known."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        score = (images * self.weight).sum(dim=(1, 2, 3))
        return torch.stack([torch.zeros_like(score), score], dim=-1)


def linear(seed: int = 0) -> tuple[Linear, object]:
    """Return such a network, and images that it classifies well."""
    model = Linear(torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(seed)))
    data = DATA.first(12)
    return model, replace(data, labels=model(data.images).argmax(dim=1))


@pytest.mark.parametrize("name", ["softmax", "vars-d"])
def test_fgsm_is_the_equation(name):
    model, _ = small_model(name)
    images = DATA.images.clone().requires_grad_()
    F.cross_entropy(model.eval()(images), DATA.labels, reduction="sum").backward()
    model.zero_grad()
    expected = (DATA.images + 0.05 * images.grad.sign()).clamp(0, 1)
    torch.testing.assert_close(fgsm(model, DATA, 0.05), expected, rtol=0, atol=1e-7)


def test_pgd_is_the_equation():
    model, _ = small_model()
    start = 2 * torch.rand(1, *DATA.images.shape, generator=torch.Generator().manual_seed(3))[0] - 1
    x = (DATA.images + 0.1 * start).clamp(0, 1)
    for _ in range(2):
        _, slope = losses_and_slope(model.eval(), x, DATA.labels)
        x = x + 2.5 * 0.1 / 2 * slope.sign()
        x = (DATA.images + (x - DATA.images).clamp(-0.1, 0.1)).clamp(0, 1)
    found = pgd(model, DATA, 0.1, steps=2, restarts=1, seed=3)
    worse = margin(model, x, DATA.labels) > margin(model, DATA.images, DATA.labels)
    assert worse.sum() > 20
    torch.testing.assert_close(found[worse], x[worse], rtol=0, atol=1e-6)
    assert torch.equal(found[~worse], DATA.images[~worse])


@settings(max_examples=12)
@given(epsilon=st.floats(0, 0.5), steps=st.integers(1, 4), restarts=st.integers(1, 3), seed=st.integers(0, 5))
def test_pgd_stays_in_the_ball_and_never_helps(epsilon, steps, restarts, seed):
    model, _ = small_model()
    data = DATA.first(6)
    found = pgd(model, data, epsilon, steps=steps, restarts=restarts, seed=seed)
    assert (found - data.images).abs().max() <= epsilon + 1e-6
    assert found.min() >= 0
    assert found.max() <= 1
    assert (margin(model, found, data.labels) >= margin(model, data.images, data.labels)).all()


def test_pgd_finds_the_worst_images_of_a_linear_network_and_keeps_the_best_restart():
    model, data = linear()
    towards = torch.where(data.labels == 1, -1, 1)[:, None, None, None] * model.weight.detach().sign()
    worst = (data.images + 0.1 * towards).clamp(0, 1)
    torch.testing.assert_close(pgd(model, data, 0.1, steps=20), worst, rtol=0, atol=1e-6)
    network, _ = small_model("vars-d")
    agreed = replace(DATA, labels=network.eval()(DATA.images).argmax(dim=1))  # an image that fell is left alone
    once, often = (pgd(network, agreed, 0.01, steps=2, restarts=count) for count in (1, 3))
    gain = margin(network, often, agreed.labels) - margin(network, once, agreed.labels)
    assert (gain >= 0).all()
    assert (gain > 0).any()


@pytest.mark.parametrize("name", QUICK)
def test_an_attack_leaves_all_else_alone(name):
    model, _ = small_model("vars-d")
    state, images = torch.get_rng_state(), DATA.images.clone()
    first = QUICK[name](model.train(), DATA)
    assert not model.training
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(DATA.images, images)
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert not first.requires_grad
    assert not torch.equal(first, images)
    torch.manual_seed(123)
    assert torch.equal(QUICK[name](model, DATA), first)
    torch.testing.assert_close(QUICK[name](model, DATA, batch=7), first, rtol=0, atol=1e-6)


@settings(max_examples=12)
@given(size=st.integers(1, 4), steps=st.integers(1, 4), seed=st.integers(0, 3))
def test_a_patch_is_a_square_of_whole_tokens_and_nothing_else(size, steps, seed):
    model, _ = small_model(seed=seed)
    found = adversarial_patch(model, DATA, size, steps=steps)
    changed = (found != DATA.images).any(dim=1)
    for image in changed:
        for line in (image.any(dim=0), image.any(dim=1)):
            touched = line.view(4, 2).any(dim=1).nonzero().flatten()
            assert not len(touched) or touched[-1] - touched[0] < size
    assert found.min() >= 0
    assert found.max() <= 1
    before, after = (losses_and_slope(model, images, DATA.labels)[0] for images in (DATA.images, found))
    assert (after >= before).all()
    assert (after > before).any()


@pytest.mark.parametrize("size", [1, 3])
def test_a_patch_is_the_best_there_is_on_a_linear_network(size):
    model, data = linear()
    away = torch.where(data.labels == 1, -1.0, 1.0)[:, None, None, None] * model.weight.detach()
    reached = []
    for top, left in product(range(0, 10 - 2 * size, 2), repeat=2):
        tried = data.images.clone()
        window = (..., slice(top, top + 2 * size), slice(left, left + 2 * size))
        tried[window] = (away[window] > 0).float()
        reached.append(margin(model, tried, data.labels))
    found = margin(model, adversarial_patch(model, data, size, steps=20), data.labels)
    torch.testing.assert_close(found, torch.stack(reached).amax(dim=0))


def test_a_patch_must_fit():
    model, _ = small_model()
    with pytest.raises(ValueError, match=r"side must be at most 4, the tokens along an image's shorter side, got 5"):
        adversarial_patch(model, DATA, 5)


def test_square_keeps_to_the_published_schedule():
    """Of 10,000 queries on an image of 100 x 100, the area is halved after each of these."""
    published = {0: 0, 10: 0, 11: 1, 50: 1, 51: 2, 200: 2, 201: 3, 501: 4, 1001: 5, 2001: 6, 4001: 7, 6001: 8, 8001: 9}
    for query, halvings in published.items():
        assert side(query, 10_000, 0.8, 100, 100) == round((0.8 / 2**halvings) ** 0.5 * 100), query
        assert side(query // 10, 1000, 0.8, 100, 100) == side(query // 10 * 10, 10_000, 0.8, 100, 100)
    assert side(0, 10, 1.0, 8, 8) == 7
    assert side(9, 10, 0.1, 4, 4) == 1


@settings(max_examples=12)
@given(epsilon=st.floats(0, 0.5), queries=st.integers(1, 12), seed=st.integers(0, 3))
def test_square_stays_in_the_ball_and_never_helps(epsilon, queries, seed):
    model, _ = small_model()
    found = square_attack(model, DATA, epsilon, queries=queries, seed=seed)
    assert (found - DATA.images).abs().max() <= epsilon + 1e-6
    assert found.min() >= 0
    assert found.max() <= 1
    assert (margin(model, found, DATA.labels) >= margin(model, DATA.images, DATA.labels)).all()


def test_square_comes_near_the_worst_without_a_gradient():
    model, data = linear()
    wide = replace(data, labels=1 - data.labels)  # already wrong: nothing is left to be asked
    stripes = square_attack(model, wide, 0.1, queries=50)
    assert (margin(model, stripes, wide.labels) >= margin(model, wide.images, wide.labels)).all()
    best = margin(model, moved_by_hand(model, data, 0.05), data.labels)
    few, many = (margin(model, square_attack(model, data, 0.05, queries=n), data.labels) for n in (10, 500))
    clean = margin(model, data.images, data.labels)
    left = best <= 0  # those that cannot fall tell how near it comes
    assert left.any()
    assert (((many - clean) / (best - clean))[left] > 0.8).all()
    assert (many >= few).float().mean() > 0.8
    assert torch.equal(many > 0, best > 0)


def moved_by_hand(model, data, epsilon):
    towards = torch.where(data.labels == 1, -1, 1)[:, None, None, None] * model.weight.detach().sign()
    return (data.images + epsilon * towards).clamp(0, 1)


ARGUMENTS = {
    fgsm: ("epsilon", "batch"),
    pgd: ("epsilon", "steps", "restarts", "seed", "batch"),
    adversarial_patch: ("side", "steps", "step", "momentum", "batch"),
    square_attack: ("epsilon", "queries", "area", "seed", "batch"),
    autoattack: ("epsilon", "seed", "batch"),
}


@pytest.mark.parametrize(("attack", "argument"), [(attack, name) for attack in ARGUMENTS for name in ARGUMENTS[attack]])
def test_bad_numbers_are_refused(attack, argument):
    model, _ = small_model()
    with pytest.raises(ValueError, match=f"^{argument} must"):
        attack(model, DATA, **{ARGUMENTS[attack][0]: 1, argument: -1})


def test_a_gradient_that_is_no_number_stops_an_attack():
    model, data = Linear(torch.full((1, 1, 8, 8), float("inf"))), linear()[1]
    for attack in (fgsm, pgd):
        with pytest.raises(NonFiniteLossError, match=r"gradient of the loss by the pixels must be finite"):
            attack(model, data, 0.1)
    with pytest.raises(NonFiniteLossError, match=r"does the network's solver diverge"):
        adversarial_patch(model, data, 1)


def test_dear_conditions_are_looked_at_in_part(monkeypatch):
    cheap = replace(attacks["adversarial patch"], apply=lambda model, data, strength: data.images)
    monkeypatch.setitem(attacks._entries, "adversarial patch", cheap)
    model, _ = small_model()
    seen = list(spoiled(model, load("digits").test.first(200), ["fgsm", "adversarial patch", "shift"]))
    assert [(name, severity) for name, severity, _ in seen] == [
        *(("fgsm", severity) for severity in (1, 2, 3, 4, 5)),
        *(("adversarial patch", severity) for severity in (1, 2)),
        *(("shift", severity) for severity in (1, 2, 3, 4, 5)),
    ]
    assert [len(part) for _, _, part in seen] == [200] * 5 + [128] * 2 + [1600] * 5
    assert torch.equal(seen[5][2].labels, load("digits").test.labels[:128])
    assert {name: (tuple(attacks[name].severities), attacks[name].images) for name in ("fgsm", "pgd")} == {
        "fgsm": ((1, 2, 3, 4, 5), None),
        "pgd": ((2, 3), 128),
    }
    assert all(list(attacks[name].strengths) == sorted(attacks[name].strengths) for name in attacks)


@pytest.mark.parametrize("name", ["digits", "mnist5k"])
@pytest.mark.parametrize("part", ["validation", "test"])
def test_the_first_images_are_a_sample_of_all(name, part):
    labels = getattr(load(name), part).labels
    assert torch.bincount(labels[:128], minlength=10).min() >= 7
    assert (labels.diff() < 0).float().mean() > 0.3  # not sorted


def test_autoattack_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr("unroll.study.attacks.auto.INSTALLED", False)
    with pytest.raises(ImportError, match=r"autoattack needs torchattacks.*pip install --no-deps torchattacks"):
        autoattack(small_model()[0], DATA, 0.1)


@pytest.mark.skipif(not INSTALLED, reason="torchattacks is not installed: pip install --no-deps torchattacks")
def test_autoattack_is_no_weaker_than_pgd():
    network, _ = small_model()
    state = torch.get_rng_state()
    found = autoattack(network, DATA.first(6), 0.1)
    assert torch.equal(torch.get_rng_state(), state)
    assert (found - DATA.images[:6]).abs().max() <= 0.1 + 1e-6
    before, after = (accuracy(network, replace(DATA.first(6), images=images)) for images in (DATA.images[:6], found))
    assert after <= before
    assert after <= accuracy(network, replace(DATA.first(6), images=pgd(network, DATA.first(6), 0.1)))
    assert "autoattack" in attacks
