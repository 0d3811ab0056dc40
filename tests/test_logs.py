"""The course of a training in files."""

import importlib.util
from dataclasses import replace

import pandas as pd
import pytest
import torch
from tables import SHORT, SMALL, small_model

from unroll.__main__ import main
from unroll.study import Entry, Logs, Recipe, Settings, load, presets, train
from unroll.study import training as loop
from unroll.study.logs import Log

FEW = load("digits").train.first(60)
RECIPE = Recipe(epochs=3, batch=20)
COLUMNS = ["epoch", "step", "loss", "learning_rate", "seconds", "accuracy"]


def run(folder, **options):
    model, generator = small_model()
    return train(model, FEW, RECIPE, generator, logs=Logs(folder, **options), checkpoint=folder / "c.safetensors")


def test_one_row_an_epoch(tmp_path):
    history = run(tmp_path / "new" / "logs")
    table = pd.read_csv(tmp_path / "new" / "logs" / "training.csv")
    assert list(table.columns) == COLUMNS
    assert table.epoch.tolist() == [1, 2, 3]
    assert table.step.tolist() == [3, 6, 9]
    assert table.loss.tolist() == history.loss
    assert table.accuracy.isna().all()
    # One step warms up; the cosine falls from the peak, and the last step is short of its end.
    assert table.learning_rate.is_monotonic_decreasing
    assert 0 < table.learning_rate[2] < 0.1 * RECIPE.learning_rate


@pytest.mark.parametrize("spoilt", [(loop.Checkpoint, "write"), (Log, "write")], ids=["checkpoint", "log"])
@pytest.mark.parametrize("epoch", [2, 3])
def test_an_interrupted_log_has_each_epoch_once(epoch, spoilt, tmp_path, monkeypatch):
    pytest.importorskip("tensorboard", reason="needs the package tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    owner, name = spoilt
    real, calls = getattr(owner, name), []

    def fails(self, what):
        calls.append(None)
        if len(calls) == epoch:
            raise OSError(28, "full")
        real(self, what)

    monkeypatch.setattr(owner, name, fails)
    with pytest.raises(OSError, match="full"):
        run(tmp_path, tensorboard=True)
    history = run(tmp_path, tensorboard=True)
    shown = EventAccumulator(str(tmp_path / "tensorboard"))
    shown.Reload()
    assert [event.step for event in shown.Scalars("loss")] == [3, 6, 9]
    assert [event.value for event in shown.Scalars("loss")] == pytest.approx(history.loss)
    assert pd.read_csv(tmp_path / "training.csv").loss.tolist() == history.loss


def test_tensorboard_that_is_not_installed_gets_one_clear_error(tmp_path, monkeypatch, capsys):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "unroll.study.logs.find_spec", lambda name: None if name == "tensorboard" else found(name), raising=True
    )
    with pytest.raises(ModuleNotFoundError, match=r"not installed: python -m pip install 'unroll\[logs\]'"):
        Logs(tmp_path, tensorboard=True)
    assert main(["train", "softmax", "--log-folder", str(tmp_path), "--tensorboard"]) == 1
    assert "tensorboard=True needs the package tensorboard" in capsys.readouterr().err


def test_the_train_command_writes_logs(tmp_path, capsys):
    command = ["train", "softmax", "--data", "digits", "--epochs", "1", "--out", str(tmp_path / "m.safetensors")]
    assert main([*command, "--tensorboard"]) == 1
    assert "--tensorboard needs a folder: add --log-folder FOLDER" in capsys.readouterr().err
    assert main([*command, "--log-folder", str(tmp_path)]) == 0
    assert len(pd.read_csv(tmp_path / "training.csv")) == 1


def test_the_dry_run_command(capsys, monkeypatch):
    monkeypatch.setitem(presets._entries, "tiny", Settings((Entry("softmax"),), "digits", recipe=Recipe(2, 100)))
    assert main(["dry-run", "--preset", "tiny", "--steps", "1"]) == 0
    said = capsys.readouterr().out
    assert "seconds a step" in said
    assert "peak MB" in said
    assert "softmax" in said
    assert main(["dry-run", "--preset", "tini"]) == 1
    assert "unknown preset 'tini': did you mean 'tiny'?" in capsys.readouterr().err


def test_a_dry_run_needs_no_data_but_for_its_form(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("UNROLL_DATA", str(tmp_path))
    far = Settings((Entry("softmax"),), data="cifar10", size=SMALL)
    monkeypatch.setitem(presets._entries, "far", far)
    out = tmp_path / "steps.csv"
    assert main(["dry-run", "--preset", "far", "--steps", "1", "--batch", "2", "--out", str(out)]) == 0
    table = pd.read_csv(out)
    assert list(table.columns) == ["preset", "attention", "device", "batch", "parameters", "seconds a step", "peak MB"]
    assert table.batch.tolist() == [2]
    assert "minutes" not in capsys.readouterr().out
    monkeypatch.setitem(presets._entries, "tiny", Settings((Entry("kernel"),), "digits", (0,), SHORT, SMALL))
    assert main(["dry-run", "--preset", "tiny", "far", "--steps", "1", "--batch", "2", "--out", str(out)]) == 0
    both = pd.read_csv(out).set_index("preset")
    assert both.attention.to_dict() == {"tiny": "kernel", "far": "softmax"}
    assert both["minutes a training"].notna().to_dict() == {"tiny": True, "far": False}


def test_a_dry_run_leaves_compiling_out_when_asked_to(monkeypatch, capsys):
    monkeypatch.setattr(torch, "compile", lambda model: pytest.fail("compiled"))
    compiled = Settings((Entry("kernel"),), "digits", (0,), replace(SHORT, compile=True), SMALL)
    monkeypatch.setitem(presets._entries, "tiny", compiled)
    assert main(["dry-run", "--preset", "tiny", "--steps", "1", "--eager"]) == 0
    assert "kernel" in capsys.readouterr().out
