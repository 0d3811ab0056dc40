"""The recovery study: signals, stages of training that survive a cut, saved networks, and what is read off them."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unroll import FISTA, Unrolled
from unroll.__main__ import main
from unroll.models.lista import ALISTA, HyperLISTA
from unroll.study.recovery import (
    Case,
    Classical,
    Learned,
    Parent,
    Schedule,
    SparseCodes,
    by_layer,
    cases,
    elsewhere,
    error_by_layer,
    error_elsewhere,
    evaluation,
    gaussian_dictionary,
    load_coders,
    nmse,
    run_recovery,
    summary,
    support_scores,
    trainer,
    tuning,
)
from unroll.study.recovery.study import checkpoint_name

QUICK = Schedule(iterations=6, batch=16)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(trainer, "VALIDATION", 64)
    monkeypatch.setattr(trainer, "LOOK", 3)
    monkeypatch.setattr(evaluation, "TEST", 60)
    monkeypatch.setattr(evaluation, "CHUNK", 40)
    monkeypatch.setattr(tuning, "EVALUATIONS", 12)
    monkeypatch.setattr(tuning, "SIGNALS", 64)


def sensing(snr=None):
    return SparseCodes(gaussian_dictionary(20, 40), snr=snr)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@given(st.floats(0.0, 1.0), st.sampled_from([None, 10.0, 30.0]))
@settings(max_examples=20, deadline=None)
def test_signals_have_the_density_and_noise_asked_for(density, snr):
    supply = SparseCodes(gaussian_dictionary(30, 60), density, snr)
    codes, signals = supply.draw(2_000, generator())
    assert (codes != 0).double().mean().item() == pytest.approx(density, abs=0.01)
    clean = codes @ supply.dictionary.T
    if snr is None:
        assert torch.equal(signals, clean)
    elif density > 0.05:
        noise = (signals - clean).square().sum(1)
        ratio = 10 * (30 * clean.var(dim=1) / noise).log10()
        assert ratio.median().item() == pytest.approx(snr, abs=0.5)


def test_supplies_repeat_themselves_and_differ_from_each_other():
    supply = sensing(20.0)
    assert torch.equal(supply.draw(5, generator())[1], supply.draw(5, generator())[1])
    validation, test = trainer.validation(supply, 0), supply.fresh(64, generator(evaluation.FRESH))
    assert not torch.equal(validation[1], test[1])
    assert torch.equal(supply.readout(validation[0]), validation[0])


def test_measures_by_hand():
    truth = torch.tensor([[1.0, 0.0, 2.0], [0.0, 0.0, 0.0]])
    estimate = torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.0, 0.0]])
    assert nmse(estimate, truth).item() == pytest.approx(10 * math.log10(4.25 / 5))
    assert nmse(torch.stack([truth, estimate]), truth).tolist() == pytest.approx([-math.inf, 10 * math.log10(0.85)])
    precision, recall = support_scores(estimate, truth)
    assert (precision.item(), recall.item()) == (0.5, 0.5)
    many = truth.repeat(50, 1)
    low, high = evaluation.interval(many + 0.1, many)
    assert low <= 10 * math.log10(6 * 0.01 / 5) <= high
    with pytest.raises(ValueError, match=r"estimate must have shape \[2, 3\], got \[2, 4\]"):
        nmse(torch.zeros(2, 4), truth)


def test_the_parents_are_ista_and_fista_of_this_library():
    supply = sensing()
    signals = supply.draw(7, generator())[1]
    for solver in (Unrolled, FISTA):
        parent = Classical(supply.dictionary, solver, 0.1, layers=5)
        course = parent.course(signals)
        assert course.shape == (6, 7, 40)
        assert torch.equal(course[5], parent(signals))
        assert not course[0].any()
    ista = Classical(supply.dictionary, Unrolled, 0.1, layers=200)
    assert torch.allclose(ista(signals), Classical(supply.dictionary, FISTA, 0.1, 200)(signals), atol=0.05)


def test_lambda_is_the_best_of_those_tried():
    supply = sensing(20.0)
    targets, signals = trainer.validation(supply, 0)
    errors = {w: nmse(Classical(supply.dictionary, Unrolled, w, 16)(signals), targets).item() for w in tuning.WEIGHTS}
    assert tuning.tune_weight(Unrolled, supply, 16, 0) == min(errors, key=errors.get)


def test_the_simplex_does_not_make_hyperlista_worse():
    supply = sensing()
    targets, signals = trainer.validation(supply, 0)
    network = HyperLISTA(supply.dictionary, 8)
    before = nmse(network(signals), targets).item()
    note = tuning.tune_hyperlista(network, supply, 0)
    assert note["nmse"] == pytest.approx(nmse(network(signals), targets).item(), abs=1e-4)
    assert note["nmse"] <= before + 1e-6


def test_rows_of_an_evaluation():
    supply = sensing(30.0)
    network = ALISTA(supply.dictionary, 4)
    rows = by_layer(network, supply)
    measured = {(row["measure"], row["level"]): row["value"] for row in rows if row["condition"] == "layer"}
    assert measured["nmse", 0] == 0
    assert measured["zeros", 0] == 1
    assert {measure for measure, _ in measured} == {"nmse", "zeros", "precision", "recall"}
    low, high = (row["value"] for row in rows if row["condition"] == "interval")
    assert low <= measured["nmse", 4] <= high
    shifted = {(row["condition"], row["level"]): row["value"] for row in elsewhere(network, supply)}
    assert len(shifted) == 5 + 5 + 4
    assert np.isfinite(list(shifted.values())).all()
    assert shifted["snr", 10.0] > shifted["snr", np.inf]


@pytest.fixture
def tiny_case():
    methods = (
        Parent("ISTA", Unrolled, 0.1),
        Learned("ALISTA", "alista", {}, QUICK),
        Learned("H", "hyperlista", {}, None),
    )
    cases.register("tiny")(Case(lambda: sensing(30.0), methods))
    yield "tiny"
    cases._entries.pop("tiny")


def test_the_study_trains_once_and_tells_all(tiny_case, tmp_path, monkeypatch):
    table, coders = run_recovery([tiny_case], tmp_path)
    assert list(coders["tiny"]) == ["ALISTA", "H"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        checkpoint_name("tiny", method) for method in cases["tiny"].methods[1:]
    )
    short = summary(table).set_index("method")
    assert short.loc["H", "parameters"] == 3
    assert short.loc["ISTA", "lambda"] == 0.1
    assert (short["low"] <= short["NMSE (dB)"]).all()
    monkeypatch.setattr(trainer, "_run", None)  # nothing is trained a second time
    again, _ = run_recovery([tiny_case], tmp_path)
    assert again.equals(table)
    figure = error_by_layer(table)
    assert [line.get_label() for line in figure.axes[0].lines] == ["ISTA", "ALISTA", "H"]
    assert [axis.get_ylabel() for axis in error_elsewhere(table).axes] == ["NMSE (dB)"] * 3
    with pytest.raises(ValueError, match="unknown method 'ALISTAS': did you mean 'ALISTA'"):
        run_recovery([tiny_case], tmp_path, ["ALISTAS"])
    with pytest.raises(ValueError, match="unknown case 'tin': did you mean 'tiny'"):
        run_recovery(["tin"], tmp_path)


def test_the_command_writes_results_only_when_they_are_whole(tiny_case, tmp_path, capsys):
    store, out = tmp_path / "store", tmp_path / "out"
    shared = ["recover", tiny_case, "--store", str(store), "--out", str(out)]
    assert main([*shared, "--methods", "ALISTA"]) == 0
    assert not out.exists()
    assert "Nothing was written" in capsys.readouterr().out
    assert main(shared) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "tiny-elsewhere.png",
        "tiny-summary.csv",
        "tiny.csv",
        "tiny.png",
        "tiny.safetensors",
    ]
    assert list(load_coders(out / "tiny.safetensors")) == ["ALISTA", "H"]
    assert main(["recover", "tin"]) == 1
    assert "unknown case 'tin'" in capsys.readouterr().err
