"""Training an unrolled network stage by stage: what is trained, what a cut costs, and when it stops."""

import math
from dataclasses import replace

import pytest
import torch

from unroll.models.lista import ALISTA, LISTACP, StepLISTA
from unroll.study import DataError, NonFiniteLossError
from unroll.study.recovery import Schedule, SparseCodes, gaussian_dictionary, nmse, train_coder, trainer

QUICK = Schedule(iterations=6, batch=16)


@pytest.fixture(autouse=True)
def few_signals(monkeypatch):
    monkeypatch.setattr(trainer, "VALIDATION", 64)
    monkeypatch.setattr(trainer, "LOOK", 3)


def sensing(snr=None):
    return SparseCodes(gaussian_dictionary(20, 40), snr=snr)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_schedules():
    assert [stage.depth for stage in Schedule().stages(4)] == [4]
    stages = Schedule("stage-wise", rate=1.0).stages(2)
    assert [(s.depth, s.rate, s.newest) for s in stages] == [
        (1, 1, True),
        (1, 0.2, False),
        (1, 0.02, False),
        (2, 1, True),
        (2, 0.2, False),
        (2, 0.02, False),
    ]
    for changes, message in (
        ({"kind": "stagewise"}, "unknown kind 'stagewise': did you mean 'stage-wise'"),
        ({"rate": 0.0}, "rate must be a finite number > 0, got 0.0"),
        ({"batch": 0}, "batch must be a whole number >= 1, got 0"),
        ({"matrix_share": 2.0}, "matrix_share must lie between 0 and 1, got 2.0"),
    ):
        with pytest.raises(ValueError, match=message):
            Schedule(**changes)


def test_training_lowers_the_error_and_never_ends_worse_than_it_began():
    supply = sensing()
    network = StepLISTA(supply.dictionary, 6)
    targets, signals = trainer.validation(supply, 0)
    before = nmse(network(signals), targets).item()
    note = train_coder(network, supply, replace(QUICK, iterations=60, rate=0.1), 0)
    assert note["history"][-1]["nmse"] == pytest.approx(nmse(network(signals), targets).item(), abs=1e-4)
    assert note["history"][-1]["nmse"] < before - 1


def test_a_new_layer_is_trained_alone_first():
    supply = sensing()
    network = LISTACP(supply.dictionary, 3)
    before = {name: part.clone() for name, part in network.state_dict().items()}
    stage = trainer.Stage(2, 0.01, 3, newest=True)
    trainer._run(network, supply, QUICK, stage, generator(), trainer.validation(supply, 0))
    for name in ("weight", "log_thresholds"):
        moved = [not torch.equal(now, was) for now, was in zip(getattr(network, name), before[name], strict=True)]
        assert moved == [False, True, False], name


class Cut(Exception):  # noqa: N818 (it stands for a power cut)
    pass


@pytest.mark.parametrize("stages_done", [1, 4])
def test_a_training_that_was_cut_off_ends_with_the_same_bits(tmp_path, monkeypatch, stages_done):
    supply, schedule = sensing(30.0), Schedule("stage-wise", iterations=6, batch=8, patience=3)

    def fresh():
        return ALISTA(supply.dictionary, 2, adaptive=True, momentum=True)

    whole = fresh()
    note = train_coder(whole, supply, schedule, 3)
    run, calls = trainer._run, []

    def failing(*arguments):
        calls.append(1)
        if len(calls) > stages_done:
            raise Cut
        return run(*arguments)

    path = tmp_path / "network.safetensors"
    monkeypatch.setattr(trainer, "_run", failing)
    with pytest.raises(Cut):
        train_coder(fresh(), supply, schedule, 3, checkpoint=path)
    monkeypatch.setattr(trainer, "_run", run)
    resumed = fresh()
    again = train_coder(resumed, supply, schedule, 3, checkpoint=path)
    assert all(torch.equal(mine, its) for mine, its in zip(whole.parameters(), resumed.parameters(), strict=True))
    assert [stage["nmse"] for stage in again["history"]] == [stage["nmse"] for stage in note["history"]]
    # Finished, it is not run again; and it is not mistaken for another.
    monkeypatch.setattr(trainer, "_run", failing)
    assert train_coder(fresh(), supply, schedule, 3, checkpoint=path)["history"] == again["history"]
    with pytest.raises(DataError, match=r"belongs to another training \(seed is 3 there, 4 here\): remove it"):
        train_coder(fresh(), supply, schedule, 4, checkpoint=path)


def test_a_loss_that_is_not_finite_stops_before_the_weights_change():
    supply = sensing()
    network = StepLISTA(supply.dictionary, 3)
    with torch.no_grad():
        network.log_steps[1] = math.nan
    before = {name: part.clone() for name, part in network.state_dict().items()}
    with pytest.raises(NonFiniteLossError, match=r"loss is nan.*in batch 1 at depth 3 at learning rate"):
        train_coder(network, supply, QUICK, 0)
    assert all(torch.equal(part.nan_to_num(), before[name].nan_to_num()) for name, part in network.state_dict().items())
