"""Attacks, and trained weights under another solver."""

from dataclasses import replace

import pytest
import torch
from tables import small_model
from torch.nn import functional as F

from unroll.solvers import FISTA, Unrolled
from unroll.study import Entry, Network, load, under_solvers, with_solver
from unroll.study.attacks import attacks, fgsm
from unroll.study.entries import Size
from unroll.study.other_solvers import solvers_for

DATA = load("digits").test.first(40)


def test_fgsm_moves_every_pixel_by_epsilon_towards_a_larger_loss():
    model, _ = small_model("vars-d")
    moved = fgsm(model, DATA, 0.01)
    off = (moved - DATA.images).abs()
    inside = (DATA.images > 0.01) & (DATA.images < 0.99)
    assert torch.allclose(off[inside & (off > 0)], torch.tensor(0.01), atol=1e-6)
    assert off.max() <= 0.01 + 1e-6
    assert moved.min() >= 0
    assert moved.max() <= 1
    with torch.no_grad():
        before, after = (F.cross_entropy(model(images), DATA.labels) for images in (DATA.images, moved))
    assert after > before
    assert all(parameter.grad is None for parameter in model.parameters())


def test_fgsm_does_not_depend_on_the_batch():
    model, _ = small_model("vars-d")
    assert torch.equal(fgsm(model, DATA, 0.05), fgsm(model, DATA, 0.05, batch=7))
    assert all(list(attacks[name].strengths) == sorted(attacks[name].strengths) for name in attacks)


def test_another_solver_leaves_the_network_as_it_was():
    model, _ = small_model("vars-d")
    model.eval()
    before = model(DATA.images)
    other = with_solver(model, Unrolled(50))
    assert not torch.allclose(other(DATA.images), before)
    assert torch.equal(model(DATA.images), before)
    assert torch.equal(with_solver(model, Unrolled(5))(DATA.images), before)
    assert other.embed is model.embed
    softmax, _ = small_model("softmax")
    assert torch.equal(with_solver(softmax.eval(), Unrolled(50))(DATA.images), softmax(DATA.images))


def test_a_trained_network_is_judged_under_every_solver_that_it_admits():
    model, _ = small_model("vars-d")
    network = Network(model, Entry("vars-d"), "digits", Size(), 0)
    table = under_solvers(network, DATA, {"2": Unrolled(2), "F": FISTA(5)})
    assert list(table.solver.unique()) == ["as trained", "2", "F"]
    assert set(table.condition) == {"clean", "gaussian noise", "token occlusion", "fgsm"}
    assert table.accuracy.between(0, 100).all()
    assert any(isinstance(solver, FISTA) for solver in solvers_for(model).values())
    published = replace(network, model=small_published())
    assert not any(isinstance(solver, FISTA) for solver in solvers_for(published.model).values())
    with pytest.raises(ValueError, match=r"FISTA needs a map that is proximal"):
        under_solvers(published, DATA, {"F": FISTA(5)})


def small_published():
    from unroll.study import build, seed_everything

    seed_everything(0)
    return build(Entry("vars-d", {"published": True}), load("digits"), Size(16, 1, 2))
