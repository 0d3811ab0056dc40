"""Corruption errors by hand, and what must hold of any table."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unroll.study import COMMON, SEVERITIES, corruption_errors, mean_corruption_errors

KEYS = [(name, severity) for name in COMMON for severity in SEVERITIES]
MEANS = ["mCE (%)", "relative mCE (%)"]


def rows(attention, seed, clean, errors):
    """Return the rows of one network: its error on clean images, and at each severity of each corruption."""
    found = {("clean", 0): clean} | dict(zip(KEYS, errors, strict=True))
    columns = {"attention": attention, "seed": seed, "measure": "accuracy"}
    return [{**columns, "condition": name, "level": level, "value": 100 - e} for (name, level), e in found.items()]


def growing(step, fog=None):
    """Return errors that grow with severity by a step, and stay at a level under fog."""
    return [step * severity if name != "fog" or fog is None else fog for name, severity in KEYS]


TABLE = pd.DataFrame(
    [
        *rows("vars-d", 0, 2, growing(5, fog=30)),
        *rows("softmax", 0, 5, growing(10)),
        *rows("vars-d", 1, 2, growing(5, fog=30)),
        *rows("softmax", 1, 1, growing(4)),
        {"attention": "softmax", "seed": 0, "measure": "mixing", "condition": "layer 1", "level": 0, "value": 0.3},
        {"attention": "softmax", "seed": 0, "measure": "accuracy", "condition": "fgsm", "level": 1, "value": 3.0},
    ]
)


def test_by_hand():
    """Sums over severities: 75 (fog 150) of 150 in seed 0, of 60 in seed 1; lost: 65 (140) of 125, of 55."""
    errors = corruption_errors(TABLE).set_index(["attention", "seed", "condition"])
    assert list(errors.index.unique("condition")) == list(COMMON)
    assert errors.loc[("vars-d", 0, "snow")].tolist() == pytest.approx([50, 52])
    assert errors.loc[("vars-d", 0, "fog")].tolist() == pytest.approx([100, 112])
    assert errors.loc[("vars-d", 1, "snow")].tolist() == pytest.approx([125, 100 * 65 / 55])
    means = mean_corruption_errors(TABLE)
    assert means[["attention", "seed"]].values.tolist() == [
        *(["vars-d", 0], ["softmax", 0], ["vars-d", 1], ["softmax", 1])  # as in the table
    ]
    assert means[MEANS].values.tolist() == [
        pytest.approx([(14 * 50 + 100) / 15, (14 * 52 + 112) / 15]),
        pytest.approx([100, 100]),
        pytest.approx([(14 * 125 + 250) / 15, (14 * 65 + 140) / 55 * 100 / 15]),
        pytest.approx([100, 100]),
    ]


def test_another_base():
    means = mean_corruption_errors(TABLE, base="vars-d").set_index(["attention", "seed"])["mCE (%)"]
    assert means["vars-d"].tolist() == pytest.approx([100, 100])
    assert means[("softmax", 0)] == pytest.approx((14 * 200 + 100) / 15)


@given(st.integers(0, 999), st.floats(0, 0.99), st.floats(0.1, 1))
def test_the_base_has_100_and_a_multiple_of_its_errors_that_multiple(seed, clean, share):
    errors = np.random.default_rng(seed).uniform(1, 99, len(KEYS)).tolist()
    scaled = [share * error for error in errors]
    table = pd.DataFrame([*rows("softmax", 3, clean, errors), *rows("other", 3, share * clean, scaled)])
    means = mean_corruption_errors(table)[MEANS].values.tolist()
    assert means == [pytest.approx([100, 100]), pytest.approx([100 * share, 100 * share])]


def test_a_base_that_does_not_err_or_loses_nothing_is_no_yardstick():
    faultless = [0 if name == "contrast" else 5 for name, _ in KEYS]
    # 1.1 in the mean, as on clean images, but not to the last bit.
    unmoved = [1.1 + (severity - 3) / 10 if name == "contrast" else 5 for name, severity in KEYS]
    better = [1 if name == "contrast" else 5 for name, _ in KEYS]
    for errors, clean, expected in (
        *((faultless, 0, [True, True]), (unmoved, 1.1, [False, True]), (better, 3, [False, True])),
    ):
        table = pd.DataFrame([*rows("softmax", 0, clean, errors), *rows("other", 0, 3, growing(4))])
        of_one = corruption_errors(table).set_index(["attention", "condition"]).loc["other"]
        assert of_one.loc["contrast", ["CE (%)", "relative CE (%)"]].isna().tolist() == expected
        assert of_one.drop("contrast").notna().all().all()
        assert mean_corruption_errors(table)[MEANS].iloc[1].isna().tolist() == expected


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match=r"unknown attention 'softmax': .*known: vars-d"):
        corruption_errors(TABLE[TABLE.attention == "vars-d"])
    with pytest.raises(ValueError, match=r"seed 1 of 'vars-d' has no 'softmax' of the same seed beside it"):
        corruption_errors(TABLE[(TABLE.attention == "vars-d") | (TABLE.seed == 0)])
    without = TABLE[~((TABLE.condition == "fog") & (TABLE.level == 4) & (TABLE.seed == 1))]
    with pytest.raises(ValueError, match=r"must hold the accuracy of 'vars-d', seed 1, under 'fog' at severity 4"):
        corruption_errors(without)
    with pytest.raises(ValueError, match=r"must hold the accuracy of 'vars-d', seed 0, under 'pixelate' at severity 1"):
        mean_corruption_errors(TABLE[TABLE.condition != "pixelate"])
    with pytest.raises(ValueError, match=r"must hold the accuracy of 'vars-d', seed 0, on clean images"):
        corruption_errors(TABLE[TABLE.condition != "clean"])
