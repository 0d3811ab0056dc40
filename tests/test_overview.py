"""The figures of many attentions at once, and the paired differences that they show."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from unroll.study import Comparison, Finding
from unroll.study.corruptions import COMMON
from unroll.study.gains import TOGETHER, paired_gains
from unroll.study.overview import suits

LABELS = ("softmax", *(f"other {k}" for k in range(6)))
WOBBLE = (-1.0, -0.5, 0.0, 0.5, 1.0)  # over five seeds; its mean is zero


def rows(measure, condition, level, value):
    """``value(k, seed)`` is what the k-th attention has."""
    return [
        {
            "attention": label,
            "seed": seed,
            "measure": measure,
            "condition": condition,
            "level": level,
            "value": value(k, seed),
        }
        for k, label in enumerate(LABELS)
        for seed in range(5)
    ]


@pytest.fixture(scope="module")
def table():
    made = rows("accuracy", "clean", 0, lambda k, seed: 90 + WOBBLE[seed] * (k == 1))
    made += rows("accuracy", "token occlusion", 3, lambda k, seed: 50 + 10 * k + WOBBLE[seed])
    for name in COMMON:
        made += rows("accuracy", name, 1, lambda k, seed: 70 - 2 * k + WOBBLE[seed] * (k > 0) / 2)
    for epoch in range(1, 6):
        # The k-th attention learns after k epochs, the last one never.
        made += rows("training loss", "training", epoch, lambda k, seed, e=epoch: 0.2 if e <= k or k == 6 else 0.05)
    for layer in ("layer 1", "layer 2"):
        for measure in ("effective tokens", "mixing", "exact zeros", "residual where it stops"):
            made += rows(measure, layer, 0, lambda k, seed: 0.1 + 0.1 * k)
        for level in (1, 100):
            made += rows("residual", layer, level, lambda k, seed, n=level: 0.5 / n)
    return pd.DataFrame(made)


def drawn_texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_gains_are_paired_by_seed(table):
    found = paired_gains(table)
    assert list(found.columns) == ["clean", TOGETHER, "gaussian noise", "token occlusion"]
    assert list(found.index) == list(LABELS[1:])
    assert found.loc["other 0", "clean"].finding is Finding.UNSEEN
    occluded = found.loc["other 1", "token occlusion"]
    assert (occluded.mean, occluded.student.low) == (20, 20)  # the wobble is in both, and drops out
    assert found.loc["other 2", TOGETHER].mean == pytest.approx(-6)
    assert paired_gains(table[table.seed == 0]).empty
    assert paired_gains(table[table.attention != "softmax"]).empty
    assert paired_gains(table, "other 0").loc["softmax", TOGETHER].mean == pytest.approx(2)


def test_where_no_seed_has_both_there_is_no_difference(table):
    apart = table[(table.attention != "other 0") | (table.seed > 2)]
    apart = apart[(apart.attention != "softmax") | (apart.seed <= 2)]
    assert paired_gains(apart).loc["other 0"].isna().all()


def test_lines_give_way_where_they_are_many(table):
    assert suits(table)
    assert not suits(table[table.attention != LABELS[-1]])
    assert not suits(table[table.seed < 4])
    assert not suits(table.replace({"attention": {"softmax": "another"}}))


def test_gains_are_drawn_in_colours_and_chance_in_gray(table):
    figure = Comparison(table, {}).plot()["robustness"]
    cells, bar = figure.axes
    words = [text.get_text() for text in cells.get_xticklabels()]
    assert words == ["Clean", "Common corruptions", "Gaussian noise", "Token occlusion"]
    texts = {text.get_position(): text for text in cells.texts}
    gray, seen = texts[0.5, 0.5], texts[3.5, 1.5]  # the first attention on clean images, the second under occlusion
    assert (gray.get_text(), gray.get_color()) == ("+0.0", "#8c8c8c")
    assert (seen.get_text(), seen.get_color() != "#8c8c8c") == ("+20.0", True)
    assert bar.get_ylabel() == "points of accuracy"
    assert all((cells.get_title(), cells.get_xlabel(), cells.get_ylabel()))


def means(axis):
    """Where the dots are, from the first row to the last; a row without one is left out."""
    places = np.concatenate([line.get_xydata() for line in axis.lines if line.get_marker() == "o"])
    return places[np.isfinite(places[:, 0])][:, 0]


def test_dots_say_how_soon_and_how_near(table):
    soon, near = Comparison(table, {}).plot()["convergence"].axes
    assert list(means(soon)) == [1, 2, 3, 4, 5]  # the last two did not get there within five epochs
    np.testing.assert_allclose(means(near), [*(0.1 + 0.1 * np.arange(7)), *[0.005] * 7])
    assert "100 steps" in near.get_xlabel()
    assert [text.get_text() for text in soon.get_yticklabels()] == list(LABELS)


def test_dots_are_means_over_layers(table):
    loud = table.assign(value=table.value.where(table.condition != "layer 2", table.value + 0.2))
    panels = Comparison(loud, {}).plot()["sparsity"].axes
    assert [axis.get_title() for axis in panels] == [
        "How many tokens does one hear?",
        "How much comes from others?",
        "How sparse is the code?",
    ]
    for axis in panels:
        np.testing.assert_allclose(means(axis), 0.2 + 0.1 * np.arange(7))
        assert axis.get_xlabel()
    plt.close("all")
