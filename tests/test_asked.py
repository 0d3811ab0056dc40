"""What studies ask of their trained networks together."""

import pytest
from tables import SMALL, small_model

from unroll.study import Entry, Network, asked, load
from unroll.study.probes import probes

EXAM = load("digits").test.first(6)
NETWORKS = {
    label: Network(small_model(name)[0].eval(), Entry(name, label=label), "digits", SMALL, 0)
    for label, name in {"softmax": "softmax", "mine": "vars-d"}.items()
}


@pytest.fixture(scope="module")
def tables():
    return {name: probes[name](NETWORKS, EXAM) for name in probes}


def test_networks_that_iterate_run_under_other_solvers(tables):
    table = tables["solvers"]
    assert list(table.columns) == ["attention", "solver", "condition", "severity", "accuracy"]
    assert set(table.attention) == {"mine"}
    assert {"as trained", "5 plain steps", "50 FISTA steps"} <= set(table.solver)
    trained, five = (table[table.solver == name].accuracy.tolist() for name in ("as trained", "5 plain steps"))
    assert trained == five  # five plain steps are what it was built with


def test_softmax_alone_has_a_temperature(tables):
    table = tables["temperature"]
    assert list(table.columns) == ["attention", "temperature", "condition", "severity", "accuracy"]
    assert set(table.attention) == {"softmax"}
    assert table.temperature.min() == 1
    assert set(table.condition) == {"clean", "adversarial patch"}


def test_gradients_are_held_against_those_of_the_others(tables):
    table = tables["masking"]
    assert set(table.attention) == {"softmax", "mine"}
    assert {"itself", "mine", "its logits"} <= set(table[table.attention == "softmax"].source)
    assert table.accuracy.between(0, 100).all()


def test_dear_probes_look_at_the_first_images(monkeypatch):
    monkeypatch.setattr(asked, "FEW", 2)
    table = probes["solvers"]({"mine": NETWORKS["mine"]}, EXAM)
    assert set(table.accuracy) <= {0.0, 50.0, 100.0}
