"""The recovery study: signals, stages of training that survive a cut, saved networks, and what is read off them."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unroll import FISTA, Unrolled
from unroll.__main__ import main
from unroll.models.lista import ALISTA, LISTACP, ConvolutionalLISTA, HyperLISTA, StepLISTA
from unroll.study import DataError, NonFiniteLossError
from unroll.study.recovery import (
    Case,
    Classical,
    Coder,
    Learned,
    Parent,
    Patches,
    Schedule,
    SparseCodes,
    by_layer,
    cases,
    elsewhere,
    error_by_layer,
    error_elsewhere,
    evaluation,
    gaussian_dictionary,
    learn_dictionary,
    load_coders,
    nmse,
    photograph_patches,
    run_recovery,
    save_coders,
    summary,
    support_scores,
    train_coder,
    trainer,
    tuning,
)
from unroll.study.recovery.crops import Crops, photograph_crops
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
    with pytest.raises(DataError, match="belongs to another training than that of 'network'"):
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


def test_networks_in_one_file(tmp_path):
    supply, path = sensing(), tmp_path / "networks.safetensors"
    made = {
        "one": Coder(ALISTA(supply.dictionary, 4, adaptive=True), {"history": []}),
        "two": Coder(HyperLISTA(supply.dictionary, 3, constants=(0.1, 0.2, 3.0))),
    }
    save_coders(path, made)
    signals = supply.draw(3, generator())[1]
    for label, coder in load_coders(path).items():
        assert torch.allclose(coder.network(signals), made[label].network(signals), atol=1e-6)
        assert coder.note == made[label].note
    with pytest.raises(ValueError, match="coders must not be empty"):
        save_coders(path, {})
    with pytest.raises(ValueError, match="coders must share one dictionary"):
        save_coders(path, {**made, "three": Coder(ALISTA(gaussian_dictionary(20, 40, 1), 2))})


def test_damaged_files_are_named(tmp_path):
    path = tmp_path / "networks.safetensors"
    with pytest.raises(DataError, match=r"networks\.safetensors is missing: 'python -m unroll recover'"):
        load_coders(path)
    save_coders(path, {"one": Coder(ALISTA(gaussian_dictionary(20, 40), 4))})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="cannot be read as a file of the kind 'coders', so it is damaged"):
        load_coders(path)
    path.write_bytes(b"")
    with pytest.raises(DataError, match="cannot be read as a file of the kind"):
        load_coders(path)
    from safetensors.torch import save_file

    save_file({"dictionary": torch.eye(2)}, path)
    with pytest.raises(DataError, match="does not say which coders its weights belong to"):
        load_coders(path)
    save_file(
        {"dictionary": torch.eye(2)}, path, metadata={"coders": '{"a": {"network": {"name": "alista"}, "note": 0}}'}
    )
    with pytest.raises(DataError, match=r"the weights of 'a' in .* do not fit the network"):
        load_coders(path)


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


def test_patches_are_less_their_mean_and_rebuilt_from_what_is_seen():
    supply = photograph_patches("compressed sensing")
    assert supply.dictionary.shape == (32, 128)
    assert torch.allclose(supply.dictionary.norm(dim=0), torch.ones(128), atol=1e-5)
    targets, signals = supply.fresh(50, generator())
    assert targets.mean(dim=1).abs().max() < 1e-4
    assert signals.shape == (50, 32)
    # A code of the normalised dictionary says the same of the signal and of the patch.
    codes = torch.randn(4, 128, generator=generator())
    assert torch.allclose(supply.readout(codes) @ supply.measurement.T, codes @ supply.dictionary.T, atol=1e-3)
    others = supply.draw(50, generator())[0], supply.held_out(50, generator())[0]
    assert not any(torch.equal(targets, other) for other in others)
    with pytest.raises(ValueError, match="unknown task 'denoise': did you mean 'denoising'"):
        photograph_patches("denoise")
    with pytest.raises(ValueError, match="noise must be a finite number >= 0"):
        replace(supply, noise=-1.0)
    with pytest.raises(ValueError, match=r"measurement must have shape \[m, 64\], got \[32, 63\]"):
        Patches(**{**vars(supply), "measurement": torch.zeros(32, 63)})


def test_learned_atoms_rebuild_better_than_those_they_set_out_from():
    signals = photograph_patches("denoising").learned_from[:400]

    def error(atoms):
        codes = Classical(atoms, FISTA, 1.0, 60)(signals)
        return ((codes @ atoms.T - signals).square().sum() / 2 + codes.abs().sum()).item()

    start = torch.nn.functional.normalize(signals[:64].T, dim=0)
    learned = learn_dictionary(signals, 64, weight=1.0, rounds=8)
    assert torch.allclose(learned.norm(dim=0), torch.ones(64), atol=1e-5)
    assert error(learned) < 0.95 * error(start)
    with pytest.raises(ValueError, match="signals must be at least as many as atoms, 64, got 10"):
        learn_dictionary(signals[:10], 64, weight=1.0, rounds=1)


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


def dense(network, height, width):
    """Return the synthesis of a convolutional network as a matrix from codes to pixels."""
    codes = network.bind(torch.zeros(1, 1, height, width, dtype=torch.float64)).start()
    eye = torch.eye(codes.numel(), dtype=torch.float64).view(-1, *codes.shape[1:])
    return torch.nn.functional.conv_transpose2d(eye, network.synthesis).flatten(1).T


def test_unlearned_convolutional_lista_is_ista_on_the_matrix_of_its_convolution():
    atoms = gaussian_dictionary(9, 5).double()
    network = ConvolutionalLISTA(atoms, 6, threshold=0.05)
    image = torch.randn(2, 1, 7, 8, dtype=torch.float64, generator=generator())
    matrix = dense(network, 7, 8).detach()
    bound = (network.dictionary.T.reshape(5, 1, 3, 3) / network.analysis)[0, 0, 0, 0].item()
    assert bound >= torch.linalg.matrix_norm(matrix, ord=2).square() - 1e-9
    z = torch.zeros(2, matrix.shape[1], dtype=torch.float64)
    for _ in range(6):
        moved = z + (image.flatten(1) - z @ matrix.T) @ matrix / bound
        z = moved.sign() * (moved.abs() - 0.05 / bound).clamp_min(0)
    assert torch.allclose(network.solve(image).value.flatten(1), z, atol=1e-9)
    assert torch.allclose(network(image).flatten(1), z @ matrix.T, atol=1e-9)
    assert torch.allclose(network.course(image)[-1], network(image), atol=1e-12)
    small = torch.randn(1, 1, 4, 5, dtype=torch.float64, generator=generator()).requires_grad_()
    assert torch.autograd.gradcheck(lambda y, *_: network(y), (small, *network.parameters()), atol=1e-6)


def test_convolutional_refusals():
    with pytest.raises(ValueError, match="square patches as columns, got columns of length 8"):
        ConvolutionalLISTA(gaussian_dictionary(8, 3))
    network = ConvolutionalLISTA(gaussian_dictionary(9, 3))
    with pytest.raises(ValueError, match=r"images must have shape \[B, 1, height, width\], got \[1, 3, 8, 8\]"):
        network(torch.zeros(1, 3, 8, 8))
    with pytest.raises(ValueError, match=r"images must be at least 3 pixels high and wide, got \[2, 8\]"):
        network(torch.zeros(1, 1, 2, 8))
    with pytest.raises(ValueError, match="must have the dtype of the dictionary"):
        network(torch.zeros(1, 1, 8, 8, dtype=torch.float64))


def test_crops_come_from_the_stripes_they_should():
    crops = photograph_crops()
    targets, signals = crops.draw(6, generator())
    assert targets.shape == signals.shape == (6, 1, 32, 32)
    assert (signals - targets).std().item() == pytest.approx(0.1, rel=0.1)
    assert crops.fresh(2, generator())[0].shape == (2, 1, 32, 32)
    assert crops.held_out(2, generator())[0].shape == (2, 1, 32, 32)
    network = ConvolutionalLISTA(crops.dictionary, 2)
    assert train_coder(network, crops, replace(QUICK, batch=2), 0)["history"]
    rows = by_layer(network, crops)
    assert {row["measure"] for row in rows} == {"nmse"}  # images have no zeros to count
    low, high = (row["value"] for row in rows if row["condition"] == "interval")
    assert low <= rows[2]["value"] <= high
    with pytest.raises(ValueError, match="size must be at most 40, the width of a stripe, got 41"):
        Crops(crops.dictionary, size=41)
