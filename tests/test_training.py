"""Training: it learns, it repeats, it stops before it spoils."""

import math
from dataclasses import replace

import pytest
import torch
from tables import SHORT, SMALL, small_model
from torch.nn import functional as F

from unroll.study import (
    Entry,
    NonFiniteLossError,
    RandomAffine,
    Recipe,
    Settings,
    accuracy,
    build,
    first_steps,
    load,
    presets,
    seed_everything,
    train,
)
from unroll.study.memory import peak_bytes
from unroll.study.store import Store


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


def plain_loop(model, data, recipe, generator):
    """Train as the equations say, and nothing else; return the mean losses and the weights after each step."""
    total = recipe.epochs * math.ceil(len(data) / recipe.batch)
    warm = max(1, round(recipe.warmup * total))
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    others = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimizer, step, means, course = torch.optim.AdamW(groups), 0, [], []
    model.train()
    for _ in range(recipe.epochs):
        losses = []
        for chosen in torch.randperm(len(data), generator=generator).split(recipe.batch):
            share = (step + 1) / warm if step < warm else (1 + math.cos(math.pi * (step - warm) / (total - warm))) / 2
            for group in optimizer.param_groups:
                group["lr"] = recipe.learning_rate * share
            loss = F.cross_entropy(model(recipe.augment(data.images[chosen], generator)), data.labels[chosen])
            model.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.detach())
            course.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
            step += 1
        means.append(torch.stack(losses).mean().item())
    return means, course


def same(one, other):
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())


@pytest.mark.parametrize(("data", "recipe"), [("digits", Recipe(2, 50)), ("mnist5k", Recipe(1, 30))])
@pytest.mark.parametrize("attention", ["softmax", "vars-d", "evolving"])
def test_the_loop_is_the_plain_one_to_the_bit(attention, data, recipe):
    lessons, ends = load(data).train.first(230), []
    for learn in (plain_loop, train):
        generator = seed_everything(0)
        model = build(Entry(attention), load(data), SMALL)
        ends.append((learn(model, lessons, recipe, generator), model.state_dict()))
    assert same(ends[0][1], ends[1][1])
    assert ends[0][0][0] == ends[1][0].loss


def test_micro_batches_make_the_same_steps():
    """In double precision, where round-off hides no image that is weighted wrongly; the last batch has five images."""
    few, ends = load("digits").train.first(105), []
    few = replace(few, images=few.images.double())
    for accumulate in (1, 3, 8):
        model, generator = small_model("vars-d")
        train(model.double(), few, Recipe(2, batch=20, accumulate=accumulate), generator)
        ends.append(model.state_dict())
    for other in ends[1:]:
        torch.testing.assert_close(other, ends[0], rtol=1e-7, atol=1e-8)


def test_the_average_of_the_weights_is_what_is_judged_and_kept():
    data, recipe = load("digits"), Recipe(epochs=2, batch=50, ema=0.75)
    lessons = data.train.first(100)
    model, generator = small_model()
    history = train(model, lessons, recipe, generator, held_out=data.validation)
    other, generator = small_model()
    _, course = plain_loop(other, lessons, recipe, generator)
    average = course[0]
    for weights in course[1:]:
        average = {name: 0.75 * tensor + 0.25 * weights[name] for name, tensor in average.items()}
    torch.testing.assert_close(model.state_dict(), average)
    assert not same(model.state_dict(), course[-1])
    assert history.accuracy[-1] == accuracy(model, data.validation)


@pytest.mark.parametrize("attention", ["softmax", "vars-d", "vars-s", "evolving", "peripheral"])
def test_bfloat16_learns_much_the_same(attention):
    few, losses = load("digits").train.first(100), {}
    for precision in ("float32", "bfloat16"):
        model, generator = small_model(attention)
        losses[precision] = train(model, few, Recipe(3, 20, precision=precision), generator).loss
    assert all(p.dtype == torch.float32 for p in model.parameters())
    assert "forward" not in vars(model)
    assert losses["bfloat16"] != losses["float32"]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.03)


def test_later_choices_are_left_out_of_files_at_their_defaults():
    assert set(Recipe().to_dict()) == {
        "epochs",
        "batch",
        "learning_rate",
        "weight_decay",
        "warmup",
        "augment",
        "compile",
    }
    assert Recipe(ema=0.9, accumulate=2).to_dict().keys() - Recipe().to_dict().keys() == {"ema", "accumulate"}


def test_what_changes_more_than_round_off_has_an_address_of_its_own(tmp_path):
    def address(**changes):
        settings = Settings((Entry("softmax"),), "digits", recipe=replace(SHORT, **changes))
        return Store(tmp_path).run(settings.entries[0], 0, settings).place

    assert address(accumulate=4) == address(compile=True) == address()
    assert len({address(), address(precision="bfloat16"), address(ema=0.99), address(ema=0.9)}) == 4


def test_memory_that_is_freed_is_not_counted_any_more():
    def work():
        for _ in range(5):
            x = torch.zeros(1000) + 1
        return x

    # The last sum, while the next two tensors are made.
    assert peak_bytes(work, torch.device("cpu")) == 3 * 4000


def test_the_first_steps_tell_what_a_study_costs():
    settings = Settings((Entry("softmax"), Entry("vars-d")), "digits", recipe=Recipe(10, 100), size=SMALL)
    table = first_steps(settings, steps=2)
    assert table.attention.tolist() == ["softmax", "vars-d"]
    assert table.parameters.tolist() == [
        sum(p.numel() for p in small_model(name)[0].parameters()) for name in table.attention
    ]
    # Weights, gradients and two moments of each, and at the least the tokens of a batch.
    assert (table["peak MB"] > (16 * table.parameters + 4 * 100 * 16 * 16) / 1e6).all()
    assert (table["peak MB"] < 50).all()
    wider = first_steps(replace(settings, recipe=Recipe(10, 200)), steps=1)
    assert (wider["peak MB"] > 1.5 * table["peak MB"]).all()
    steps = 10 * math.ceil(len(load("digits").development) / 100)
    assert table["minutes a training"].tolist() == pytest.approx((table["seconds a step"] * steps / 60).tolist())
    with pytest.raises(ValueError, match="steps must be a whole number >= 1, got 0"):
        first_steps(settings, steps=0)


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
        ({"precision": "bfloat61"}, r"unknown precision 'bfloat61': did you mean 'bfloat16'\?"),
        ({"accumulate": 0}, r"accumulate must be a whole number >= 1, got 0"),
        ({"accumulate": 9, "batch": 8}, r"accumulate must not be above the batch of 8, got 9: a micro-batch holds"),
        ({"ema": -0.1}, r"ema must lie between 0 and 1, got -0.1"),
        ({"ema": 1}, r"ema must be below 1, got 1: such an average would never move"),
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
