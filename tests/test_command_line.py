"""The command line: readable help, one line for an error, files where they belong."""

import pandas as pd
import pytest
from tables import SHORT

from unroll.__main__ import main
from unroll.registry import Registry
from unroll.study import (
    Comparison,
    Entry,
    experiment,
    load,
    load_network,
    selection,
    train,
)
from unroll.study.robustness import spoiled


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["study"],
        ["train"],
        ["inspect"],
        ["solvers"],
        ["restore"],
        ["periphery"],
        ["claims"],
        ["select"],
        ["timeseries"],
        ["data"],
        ["bench"],
        ["readme"],
    ],
)
def test_help_is_readable(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*command, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: python -m unroll")
    assert "None" not in text
    assert max(map(len, text.splitlines())) <= 100


def test_changed_presets_do_not_overwrite_results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["study", "--attentions", "softmax", "--data", "digits", "--epochs", "1"]
    assert main(command) == 0
    assert (tmp_path / "runs" / "quick" / "table.csv").is_file()
    assert not (tmp_path / "results").exists()


def test_study_command(tmp_path, capsys):
    out = tmp_path / "out"
    command = [
        "study",
        "--attentions",
        "kernel",
        "--data",
        "digits",
        "--epochs",
        "1",
        "--seeds",
        "1",
        "--out",
        str(out),
    ]
    assert main(command) == 0
    assert "a demonstration: one seed carries no verdict" in capsys.readouterr().out
    assert Comparison.read(out).configuration["recipe"]["epochs"] == 1


def test_train_command_keeps_weights_that_load(tmp_path, capsys):
    path = tmp_path / "runs" / "model.safetensors"
    assert main(["train", "softmax", "--data", "digits", "--epochs", "1", "--out", str(path)]) == 0
    assert "validation accuracy" in capsys.readouterr().out
    network = load_network(path)
    assert (network.entry, network.data, network.seed) == (Entry("softmax"), "digits", 0)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["train", "sofmax"], "unroll: unknown attention 'sofmax': did you mean 'softmax'?"),
        (["select", "recipes"], "unroll: unknown selection 'recipes': did you mean 'recipe'?"),
        (["data", "mnist6k"], "unroll: unknown data set 'mnist6k': did you mean 'mnist5k'?"),
        (["fetch", "cifar"], "unroll: unknown fetchable data set 'cifar': did you mean 'cifar10'?"),
        (["study", "--preset", "slow"], "unroll: unknown preset 'slow'"),
        (["study", "--epochs", "0"], "unroll: epochs must be a whole number >= 1, got 0"),
        (["readme", "--results", "nowhere"], "is missing: 'make study' writes results/quick"),
    ],
)
def test_wrong_commands_get_one_line(command, message, capsys):
    assert main(command) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_selection_is_judged_on_the_validation_split(tmp_path, monkeypatch):
    judged = []
    learnt = []
    monkeypatch.setattr(
        experiment, "spoiled", lambda model, exam, names: judged.append(len(exam)) or spoiled(model, exam, names)
    )
    taught = lambda model, lessons, *how, **more: learnt.append(len(lessons)) or train(model, lessons, *how, **more)  # noqa: E731
    monkeypatch.setattr(experiment, "train", taught)
    tiny = Registry("selection")
    tiny.register("tiny")({"one": (Entry("softmax"), SHORT), "other": (Entry("kernel"), SHORT)})
    monkeypatch.setattr(selection, "selections", tiny)
    table = selection.select("tiny", tmp_path, data="digits")
    assert table.candidate.tolist() == ["one", "other"]
    assert set(judged) == {len(load("digits").validation)}
    assert set(learnt) == {len(load("digits").train)}
    written = pd.read_csv(tmp_path / "tiny.csv")
    assert written.clean.tolist() == pytest.approx(table.clean.astype(float).tolist(), rel=1e-3)


def test_data_command(capsys):
    assert main(["data", "digits"]) == 0
    assert "digits: 1 x 8 x 8 pixels, 10 classes, 1078 train" in capsys.readouterr().out
    assert main(["data", "JapaneseVowels", "Covid3Month"]) == 0
    said = capsys.readouterr().out
    assert "JapaneseVowels: 7 to 29 steps x 12 channels, 9 classes, 270 train, 370 test; checksum verified" in said
    assert "Covid3Month: 84 steps x 1 channels, a number to regress" in said
