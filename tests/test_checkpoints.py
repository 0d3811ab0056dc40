"""Checkpoints: a training that was cut off comes to the very bits of one that was not, and never goes on as another."""

import errno
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from tables import SMALL, small_model

from unroll.__main__ import main
from unroll.study import DataError, Entry, Logs, NonFiniteLossError, RandomAffine, Recipe, Settings, load, train
from unroll.study import training as loop
from unroll.study.compare import run_study
from unroll.study.store import Store

DATA = load("digits")
FEW = DATA.train.first(100)
# Two epochs of seven steps, the last of them on ten images.
RECIPE = Recipe(epochs=2, batch=15)
RECIPES = {"softmax": RECIPE, "vars-d": replace(RECIPE, ema=0.8, accumulate=2, precision="bfloat16")}


class Cut(BaseException):
    """The power failed."""


@pytest.fixture
def cut(monkeypatch):
    """Return a function that lets a training run until its n-th step."""
    real = loop.check_loss

    def after(steps):
        calls = []

        def failing(*arguments):
            calls.append(None)
            if len(calls) > steps:
                raise Cut
            real(*arguments)

        monkeypatch.setattr(loop, "check_loss", failing)

    yield after
    monkeypatch.setattr(loop, "check_loss", real)


def run(attention="softmax", recipe=RECIPE, seed=0, **options):
    """Train a small network and return its weights and history."""
    model, generator = small_model(attention, seed)
    history = train(model, FEW, recipe, generator, **options)
    return model.state_dict(), history


def assert_same(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


@pytest.mark.parametrize(("steps", "every"), [(3, 0), (7, 1e9), (12, 0), (12, 1e9)])
@pytest.mark.parametrize("attention", RECIPES)
def test_a_training_goes_on_to_the_same_bits(attention, steps, every, tmp_path, cut):
    path, logs, recipe = tmp_path / "c.safetensors", Logs(tmp_path / "logs"), RECIPES[attention]
    options = {"held_out": DATA.validation.first(50)}
    weights, history = run(attention, recipe, **options)
    cut(steps)
    with pytest.raises(Cut):
        run(attention, recipe, checkpoint=path, every=every, logs=logs, **options)
    assert path.is_file() == (every == 0 or steps >= 7)
    cut(1e9)
    again, resumed = run(attention, recipe, checkpoint=path, every=every, logs=logs, **options)
    assert_same(again, weights)
    assert (resumed.loss, resumed.accuracy) == (history.loss, history.accuracy)
    table = pd.read_csv(tmp_path / "logs" / "training.csv")
    assert table.epoch.tolist() == [1, 2]
    assert table.step.tolist() == [7, 14]
    assert table.loss.tolist() == history.loss
    assert table.accuracy.tolist() == history.accuracy
    assert table.seconds.is_monotonic_increasing
    # Finished, it is not run again.
    cut(0)
    finished, history = run(attention, recipe, checkpoint=path, **options)
    assert_same(finished, weights)
    assert history.loss == resumed.loss


def test_a_training_that_was_cut_off_between_the_last_step_and_the_end_of_an_epoch(tmp_path, monkeypatch):
    def dark(*arguments):
        raise Cut

    path, look = tmp_path / "c.safetensors", {"held_out": DATA.validation.first(50)}
    weights, history = run(**look)
    monkeypatch.setattr(loop, "accuracy", dark)
    with pytest.raises(Cut):
        run(checkpoint=path, every=0, **look)
    monkeypatch.undo()
    again, resumed = run(checkpoint=path, **look)
    assert_same(again, weights)
    assert (resumed.loss, resumed.accuracy) == (history.loss, history.accuracy)


def test_layers_that_draw_at_random_draw_on(tmp_path, cut):
    def weights(**options):
        torch.manual_seed(1)
        model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(), torch.nn.Linear(64, 10))
        train(model, FEW, RECIPE, torch.Generator().manual_seed(2), **options)
        return model.state_dict()

    path = tmp_path / "c.safetensors"
    cut(9)
    with pytest.raises(Cut):
        weights(checkpoint=path, every=0)
    cut(1e9)
    assert_same(weights(checkpoint=path), weights())


OTHERS = {
    "recipe": (
        {"recipe": replace(RECIPE, epochs=3, ema=0.5)},
        r"recipe.epochs is 2 there, 3 here; recipe.ema is absent",
    ),
    "augmentation": (
        {"recipe": replace(RECIPE, augment=RandomAffine(0, 0, 0))},
        r"recipe.augment.shift is 0.07 there, 0",
    ),
    "network": ({"attention": "kernel"}, r"network.layers is \w+ there, \w+ here; network.weights is"),
    "seed": ({"seed": 1}, r"\(generator is \w+ there"),
    "held-out data": ({"held_out": DATA.test}, r"\(held-out data is None there, \w+ here\): remove it or name another"),
}


@pytest.mark.parametrize("other", OTHERS)
def test_another_training_is_refused(other, tmp_path):
    changed, message = OTHERS[other]
    run(checkpoint=tmp_path / "c.safetensors")
    with pytest.raises(DataError, match=rf"c.safetensors belongs to another training .*{message}"):
        run(**changed, checkpoint=tmp_path / "c.safetensors")


def test_other_data_are_refused_and_other_micro_batches_are_not(tmp_path, cut):
    path = tmp_path / "c.safetensors"
    run(checkpoint=path)
    model, generator = small_model()
    with pytest.raises(DataError, match=r"another training \(data is \w+ there"):
        train(model, DATA.train.first(99), RECIPE, generator, checkpoint=path)
    cut(0)
    assert len(run(recipe=replace(RECIPE, accumulate=3), checkpoint=path)[1].loss) == 2


@pytest.mark.parametrize("damage", ["empty", "header", "half", "last byte", "one bit"])
def test_a_damaged_checkpoint_is_refused(damage, tmp_path):
    path = tmp_path / "c.safetensors"
    run(checkpoint=path)
    whole = bytearray(path.read_bytes())
    if damage == "one bit":
        whole[-1000] ^= 1
    cuts = {"empty": 0, "header": 100, "half": len(whole) // 2, "last byte": -1, "one bit": None}
    path.write_bytes(whole[: cuts[damage]])
    with pytest.raises(DataError, match=r"c.safetensors .*is damaged"):
        run(checkpoint=path)


FAILURES = {
    "full disk": (errno.ENOSPC, r"cannot be written \(No space left on device\); what was there before stays: .*c.saf"),
    "read-only folder": (errno.EROFS, r"cannot be written \(Read-only file system\); .* stays: .*/c.safetensors'$"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_checkpoint_that_cannot_be_written_stops_the_training_and_the_last_one_stays(failure, tmp_path, monkeypatch):
    path, (code, message) = tmp_path / "c.safetensors", FAILURES[failure]
    weights, _ = run()
    real, calls = Path.write_bytes, []

    def fails(self, content):
        calls.append(self)
        if len(calls) < 5:
            return real(self, content)
        if code == errno.ENOSPC:
            real(self, content[: len(content) // 2])
        raise OSError(code, {errno.ENOSPC: "No space left on device", errno.EROFS: "Read-only file system"}[code])

    monkeypatch.setattr(Path, "write_bytes", fails)
    with pytest.raises(OSError, match=message):
        run(checkpoint=path, every=0)
    monkeypatch.setattr(Path, "write_bytes", real)
    assert [*tmp_path.iterdir()] == [path]
    again, _ = run(checkpoint=path)
    assert_same(again, weights)
    assert len(calls) == 5


def test_a_loss_that_is_not_finite_leaves_the_last_good_weights_and_the_checkpoint(tmp_path):
    path = tmp_path / "c.safetensors"
    spoiled = FEW.first(60)
    spoiled.images[40] = float("nan")
    recipe = Recipe(epochs=1, batch=1, augment=RandomAffine(0, 0, 0))
    ends = []
    for _ in range(2):
        model, generator = small_model()
        with pytest.raises(NonFiniteLossError, match="in epoch 1 at"):
            train(model, spoiled, recipe, generator, checkpoint=path, every=0)
        assert path.is_file()
        ends.append(model.state_dict())
    assert all(tensor.isfinite().all() for tensor in ends[0].values())
    assert_same(*ends)


def test_an_interrupted_study_goes_on_within_a_training(tmp_path, cut):
    settings = Settings((Entry("softmax"),), "digits", recipe=Recipe(2, 200), size=SMALL, conditions=("shift",))
    whole, halved = (Store(tmp_path / name).run(settings.entries[0], 0, settings) for name in ("whole", "halved"))
    run_study(settings, Store(tmp_path / "whole"))
    cut(8)
    with pytest.raises(Cut):
        run_study(settings, Store(tmp_path / "halved"))
    assert halved.checkpoint.is_file()
    assert not halved.trained
    cut(7)  # seven steps an epoch: only a training that goes on has so few to do
    run_study(settings, Store(tmp_path / "halved"))
    for run in (whole, halved):
        assert not run.checkpoint.exists()
    assert_same(halved.network().model.state_dict(), whole.network().model.state_dict())


def test_the_train_command_goes_on(tmp_path, cut, capsys):
    out = tmp_path / "m.safetensors"
    command = ["train", "softmax", "--data", "digits", "--epochs", "2", "--batch", "539", "--out", str(out)]
    cut(3)
    with pytest.raises(Cut):
        main(command)
    assert (tmp_path / "m.checkpoint.safetensors").is_file()
    assert main([*command[:-3], "538", *command[-2:]]) == 1
    assert "belongs to another training (recipe.batch is 539 there, 538 here)" in capsys.readouterr().err
    cut(2)
    assert main(command) == 0
    assert [*tmp_path.iterdir()] == [out]
