"""Trained weights under another solver."""

from dataclasses import replace

import pytest
import torch
from tables import small_model

from unroll.solvers import FISTA, Unrolled
from unroll.study import Entry, Network, load, under_solvers, with_solver
from unroll.study.entries import Size
from unroll.study.other_solvers import solvers_for

DATA = load("digits").test.first(40)


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
