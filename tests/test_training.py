"""Training: it learns, it repeats, it stops before it spoils."""

import pytest
import torch
from tables import SHORT, small_model

from unroll.study import (
    Entry,
    NonFiniteLossError,
    RandomAffine,
    Recipe,
    Settings,
    accuracy,
    load,
    presets,
    train,
)


def test_training_learns_and_is_repeatable():
    data = load("digits")
    runs = []
    for _ in range(2):
        model, generator = small_model()
        history = train(
            model, data.train, Recipe(epochs=8, batch=32, learning_rate=1e-2), generator, held_out=data.validation
        )
        runs.append((history.loss, history.accuracy, accuracy(model, data.validation)))
    assert runs[0] == runs[1]
    losses, accuracies, final = runs[0]
    assert losses[-1] < 0.8 * losses[0]
    assert accuracies[-1] == final > 20


def test_a_loss_that_is_not_finite_stops_the_training_and_keeps_the_weights():
    data, (model, generator) = load("digits"), small_model()
    spoiled = data.train.first(64)
    spoiled.images[40] = float("nan")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(NonFiniteLossError, match=r"loss is nan, its gradient nan, in epoch 1 at .* lower the learning"):
        train(model, spoiled, Recipe(epochs=1, batch=64, augment=RandomAffine(0, 0, 0)), generator)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_a_gradient_that_is_not_finite_stops_the_training_too():
    """The loss is finite, the gradient of a square root at zero is not."""

    class Spoilt(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(10))

        def forward(self, images):
            return self.weight.abs().sqrt().expand(len(images), 10)

    model = Spoilt()
    with pytest.raises(NonFiniteLossError, match=r"loss is 2.3, its gradient (nan|inf), in epoch 1"):
        train(model, load("digits").train, SHORT, torch.Generator())
    assert not model.weight.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, r"epochs must be a whole number >= 1, got 0"),
        ({"batch": 0}, r"batch must be a whole number >= 1, got 0"),
        ({"learning_rate": float("nan")}, r"learning_rate must be a finite number > 0, got nan"),
        ({"weight_decay": -1}, r"weight_decay must be a finite number >= 0, got -1"),
        ({"warmup": 2}, r"warmup must lie between 0 and 1, got 2"),
    ],
)
def test_bad_recipes(change, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**change)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (lambda: Settings(()), r"entries must name at least one attention, got none"),
        (lambda: Settings((Entry("softmax"), Entry("softmax"))), r"labels of their own, got \['softmax', 'softmax'\]"),
        (lambda: Settings((Entry("softmax"),), data="mnis"), r"unknown data set 'mnis'"),
        (lambda: Settings((Entry("softmax"),), seeds=()), r"seeds must hold at least one seed, got none"),
        (lambda: Settings((Entry("softmax"),), seeds=(-1,)), r"seed must be a whole number >= 0, got -1"),
        (
            lambda: Settings((Entry("softmax"),), conditions=("shfit",)),
            r"unknown condition 'shfit': did you mean 'shift'",
        ),
        (lambda: Settings((Entry("softmax"),), conditions=()), r"conditions must name at least one .* got none"),
        (lambda: Entry("sotfmax"), r"unknown attention 'sotfmax': did you mean 'softmax'\?"),
        (lambda: presets["quik"], r"unknown preset 'quik': did you mean 'quick'\?"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        settings()
