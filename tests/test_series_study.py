"""The study on time series: training, judging, runs that are never repeated, ranks and intervals."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from torch.nn import functional as F

from unroll.__main__ import main
from unroll.models import SeriesModel
from unroll.study import NonFiniteLossError, SeriesDataset, SeriesSplit, load_series, seed_everything
from unroll.study.series import (
    SeriesRecipe,
    SeriesSettings,
    contenders,
    critical_difference,
    friedman,
    gains,
    judge,
    ranking,
    ranks,
    run_series_study,
    scores,
    study,
    train_series,
)
from unroll.study.series.figure import cliques

ONE = SeriesRecipe(epochs=1)
QUICK = SeriesSettings(("transformer", "residual logits"), ("CardanoSentiment",), (0,), ONE)


def small(targets, classes=()):
    """Return a set of eight series of three steps, the last of which only some have, with these targets."""
    mask = torch.tensor([[True] * 3, [True, True, False]]).repeat(4, 1)
    values = torch.randn(8, 3, 2).masked_fill(~mask[..., None], 0)
    split = SeriesSplit(values, mask, targets)
    return SeriesDataset("small", split, split, classes)


@pytest.mark.parametrize("name", contenders.names())
def test_every_contender_learns(name):
    data = small(torch.tensor([0, 1, 2, 0, 1, 2, 0, 1]), ("a", "b", "c"))
    generator = seed_everything(0)
    model = contenders[name](data)
    assert isinstance(model, SeriesModel)

    def loss():
        return F.cross_entropy(model.eval()(data.train.values, data.train.mask), data.train.targets).item()

    before = loss()
    assert train_series(model, data, SeriesRecipe(epochs=30, batch=8, learning_rate=3e-3), generator) > 0
    assert loss() < 0.6 * before
    outputs = model(data.test.values, data.test.mask).argmax(dim=1)
    assert judge(model, data, batch=3) == pytest.approx(100 * (outputs == data.test.targets).double().mean().item())


def test_regression_is_judged_in_units_of_the_target():
    targets = torch.tensor([10.0, 30.0, 20.0, 40.0, 10.0, 30.0, 20.0, 40.0])
    data = small(targets)
    model = contenders["transformer"](data)
    model.head.weight.data.zero_()
    model.head.bias.data.fill_(1.0)  # one deviation above the mean
    mean, std = targets.mean(), targets.std()
    assert judge(model, data) == pytest.approx((mean + std - targets).square().mean().sqrt().item(), rel=1e-5)
    before = judge(model, data)
    train_series(model, data, SeriesRecipe(epochs=40, batch=8, learning_rate=3e-3), seed_everything(0))
    assert judge(model, data) < 0.7 * before


def test_training_never_looks_at_the_test_series():
    data = load_series("CardanoSentiment").standardised()
    spoiled = replace(data, test=replace(data.test, values=data.test.values * float("nan")))
    weights = []
    for one in (data, spoiled):
        generator = seed_everything(3)
        model = contenders["transformer"](one)
        train_series(model, one, ONE, generator)
        weights.append(torch.cat([p.flatten() for p in model.parameters()]))
    assert torch.equal(*weights)


def test_a_bad_loss_stops_the_training():
    data = small(torch.full((8,), float("inf")))
    with pytest.raises(NonFiniteLossError, match=r"in epoch 1 at learning rate 0.001; the step was not taken"):
        train_series(contenders["transformer"](data), data, ONE, seed_everything(0))


def test_an_interrupted_study_goes_on_where_it_stopped(tmp_path, monkeypatch):
    made, run = [], study.train_series

    def counted(*call, label):
        made.append(label)
        if len(made) == 2:
            raise KeyboardInterrupt
        return run(*call, label=label)

    monkeypatch.setattr(study, "train_series", counted)
    with pytest.raises(KeyboardInterrupt):
        run_series_study(QUICK, tmp_path)
    assert run_series_study(QUICK, tmp_path, part=(0, 2)) is None  # the other part is still to be made
    outcome = run_series_study(QUICK, tmp_path)
    assert [label.split(",")[0] for label in made] == ["transformer", "residual logits", "residual logits"]
    again = run_series_study(QUICK, tmp_path)
    assert outcome.table.equals(again.table)
    assert outcome.maps.equals(again.maps)
    assert len(made) == 3
    assert list(outcome.table) == ["model", "seed", "set", "steps", "measure", "value", "parameters", "seconds"]
    assert list(outcome.maps) == ["model", "seed", "set", "layer", "measure", "value"]
    layers = outcome.maps.groupby("model").layer.nunique()
    assert layers.to_dict() == {"transformer": 3, "residual logits": 8}
    run_series_study(replace(QUICK, recipe=SeriesRecipe(epochs=1, batch=32)), tmp_path)
    assert len(made) == 5  # another recipe is another run
    run_series_study(replace(QUICK, longest=6), tmp_path)
    assert len(made) == 7  # and so are shorter series


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"models": ()}, r"models must hold at least one, and each once, got \[\]"),
        ({"seeds": (1, 1)}, r"seeds must hold at least one, and each once, got \[1, 1\]"),
        ({"models": ("EADC",)}, r"unknown model of time series 'EADC': did you mean 'EA-DC'"),
        ({"sets": ("GunPoints",)}, r"unknown series set 'GunPoints': did you mean 'GunPoint'"),
        ({"seeds": (-1,)}, r"seed must be a whole number >= 0, got -1"),
        ({"longest": 0}, r"longest must be a whole number >= 1, got 0"),
    ],
)
def test_bad_settings(options, message):
    with pytest.raises(ValueError, match=message):
        SeriesSettings(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be a whole number >= 1, got 0"),
        ({"batch": 1.5}, "batch must be a whole number >= 1, got 1.5"),
        ({"learning_rate": 0}, "learning_rate must be a finite number > 0, got 0"),
        ({"clip": -1}, "clip must be a finite number > 0, got -1"),
    ],
)
def test_bad_recipes(options, message):
    with pytest.raises(ValueError, match=message):
        SeriesRecipe(**options)


def made_up(seeds=5):
    """Return a table in which b is the best and c is a by chance, on two sets of accuracies and one of errors."""
    rows = []
    rng = np.random.default_rng(0)
    for name, measure, best in (("s", "accuracy", 1), ("t", "accuracy", 1), ("u", "RMSE", -1)):
        for seed in range(seeds):
            noise = rng.normal()
            for model, level in (("a", 50), ("b", 50 + 10 * best), ("c", 50 + 0.01 * rng.normal())):
                rows.append(
                    {"model": model, "seed": seed, "set": name, "measure": measure, "value": level + noise}
                    | {"parameters": 1, "seconds": 1.0}
                )
    return pd.DataFrame(rows)


def test_ranks_know_that_errors_are_better_small():
    table = made_up()
    assert list(scores(table).columns) == ["a", "b", "c"]
    assert ranks(table)["b"].tolist() == [1, 1, 1]
    assert ranks(table).sum(axis=1).tolist() == [6, 6, 6]
    expected = stats.friedmanchisquare(*ranks(table).to_numpy().T).pvalue
    assert friedman(table) == pytest.approx(expected)
    assert friedman(table[table["set"] == "s"]) is None


def test_a_seed_counts_where_both_have_run():
    table = made_up()
    missing = (table.model == "b") & (table.seed == 4) & (table["set"] == "s")
    rows = gains(table[~missing], "a").set_index(["set", "model"])
    assert (rows.loc[("s", "b"), "seeds"], rows.loc[("s", "b"), "verdict"]) == (4, "too few seeds")
    assert (rows.loc[("t", "b"), "seeds"], rows.loc[("t", "b"), "verdict"]) == (5, "better")


def test_gains_are_paired_by_seed():
    table = gains(made_up(), "a")
    verdicts = {(row.set, row.model): row.verdict for row in table.itertuples()}
    assert all(verdicts[name, "b"] == "better" for name in "stu")
    assert all(verdicts[name, "c"] == "no difference" for name in "stu")
    # The seeds' common noise of about one point is no part of a paired interval.
    assert (table[table.model == "c"].high - table[table.model == "c"].low).max() < 0.1
    assert set(gains(made_up(4), "a").verdict) == {"too few seeds"}
    assert set(gains(made_up(), "b").query("model == 'a'").verdict) == {"worse"}
    with pytest.raises(ValueError, match=r"base must be one of a, b, c, got 'd'"):
        gains(made_up(), "d")


def test_critical_difference_as_in_the_tables():
    """Demšar 2006, table 5: q is 2.343 for two-tailed comparisons of three classifiers at 5 %, 2.569 of four."""
    assert critical_difference(3, 10) == pytest.approx(2.343 * (3 * 4 / 60) ** 0.5, abs=1e-3)
    assert critical_difference(4, 14) == pytest.approx(2.569 * (4 * 5 / (6 * 14)) ** 0.5, abs=1e-3)


def test_bars_join_what_no_test_tells_apart():
    average = pd.Series({"a": 1.0, "b": 1.5, "c": 2.2, "d": 4.0})
    assert cliques(average, 1.0) == [(0, 1), (1, 2)]
    assert cliques(average, 1.2) == [(0, 2)]
    assert cliques(average, 0.1) == []
    figure = ranking(made_up())
    words = {text.get_text() for text in figure.axes[0].texts}
    assert {"b  1.00"} <= words


def test_the_command_writes_what_it_says(tmp_path, capsys, monkeypatch):
    out, store = tmp_path / "out", tmp_path / "store"
    command = ["timeseries", "--sets", "CardanoSentiment", "--models", "transformer", "dilated convolution"]
    command += ["--seeds", "1", "--epochs", "1", "--out", str(out), "--store", str(store)]
    assert main(command) == 0
    written = {"table.csv", "gains.csv", "maps.csv", "maps.png", "ranking.png", "configuration.json"}
    assert {path.name for path in out.iterdir()} == written
    assert len(pd.read_csv(out / "table.csv")) == 2
    assert set(pd.read_csv(out / "maps.csv").model) == {"transformer"}  # the other one has none
    said = capsys.readouterr().out
    assert "average rank over 1 sets; critical difference" in said
    assert "too few seeds" in said
    assert main([*command, "--part", "1/2"]) == 0
    monkeypatch.chdir(tmp_path)
    assert main([part for part in command if part not in ("--out", str(out))]) == 0
    assert (tmp_path / "runs" / "timeseries" / "table.csv").is_file()  # results/ is for the study as it stands
    assert main(["timeseries", "--sets", "Cardano", "--store", str(store)]) == 1
    assert "did you mean 'CardanoSentiment'" in capsys.readouterr().err
