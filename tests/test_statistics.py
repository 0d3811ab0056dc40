"""Paired comparisons: what they cover, what they say, and what they do where there is little to say."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from unroll.study import Comparison
from unroll.study.report import differences
from unroll.study.series import gains
from unroll.study.statistics import ENOUGH, Finding, Interval, half_width, judge, paired

ROOT = Path(__file__).parents[1]


def seeds(*values):
    return pd.Series(values, index=range(len(values)), dtype=float)


def test_a_comparison_by_hand():
    """Differences 1 to 5: mean 3, deviation 1.5811; t(0.975, 4) = 2.7764; the correction for 4 degrees is 0.7979."""
    found = paired(seeds(91, 92, 93, 94, 95), seeds(90, 90, 90, 90, 90))
    assert (found.mean, found.seeds, found.span) == (3, 5, (1, 5))
    assert found.student == pytest.approx((3 - 2.776445 * 1.581139 / 5**0.5, 3 + 2.776445 * 1.581139 / 5**0.5))
    assert found.effect == pytest.approx(0.797885 * 3 / 1.581139, rel=1e-5)
    assert found.student.low < found.bootstrap.low < 3 < found.bootstrap.high < found.student.high
    assert found.interval == found.student
    assert found.finding is Finding.HOLDS


def test_both_estimators_are_those_of_scipy():
    values = np.random.default_rng(0).normal(1, 2, size=8)
    found = paired(pd.Series(values))
    assert found.student == pytest.approx(tuple(stats.ttest_1samp(values, 0).confidence_interval(0.95)))
    expected = stats.bootstrap((values,), np.mean, method="percentile", rng=0).confidence_interval
    assert found.bootstrap == pytest.approx((expected.low, expected.high))


def test_the_effect_size_is_unbiased():
    """Hedges' correction: the mean over many samples of five is the true effect, which the plain ratio is not."""
    draws = np.random.default_rng(0).normal(0.8, 1.0, size=(4000, 5))
    effects = np.array([paired(pd.Series(draw)).effect for draw in draws[:40]])
    plain = draws.mean(1) / draws.std(1, ddof=1)
    assert effects == pytest.approx(plain[:40] * 0.7978846, rel=1e-6)
    assert (0.7978846 * plain).mean() == pytest.approx(0.8, abs=0.03)
    assert plain.mean() > 0.95


@pytest.mark.parametrize(("count", "covered"), [(ENOUGH, 0.84), (10, 0.90), (20, 0.93)])
def test_coverage(count, covered):
    """Why a verdict takes both: over a few normal differences the bootstrap alone is too sure of itself."""
    draws = np.random.default_rng(0).normal(size=(1000, count))
    half = np.array([half_width(draw) for draw in draws])
    student = np.abs(draws.mean(1)) < half
    found = stats.bootstrap((draws,), np.mean, axis=-1, n_resamples=499, batch=100, method="percentile", rng=0)
    resampled = (found.confidence_interval.low < 0) & (found.confidence_interval.high > 0)
    assert student.mean() == pytest.approx(0.95, abs=0.02)
    assert resampled.mean() == pytest.approx(covered, abs=0.025)
    assert (student | resampled).mean() == pytest.approx(0.95, abs=0.02)  # the hull: what a verdict looks at


def test_either_interval_can_hold_a_verdict_back():
    jumpy = paired(seeds(0.2, 0.3, 0.2, 3.0, 0.9))  # all above zero, so is any mean of them; Student's is wary
    assert jumpy.bootstrap.low > 0 > jumpy.student.low
    assert jumpy.finding is Finding.UNSEEN
    tailed = paired(seeds(*[-4.69, -3.99] * 14, 0.31, 36.31))  # one seed of thirty stands out
    assert tailed.student.high < 0 < tailed.bootstrap.high
    assert tailed.finding is Finding.UNSEEN
    assert tailed.interval == (tailed.student.low, tailed.bootstrap.high)


@given(values=st.lists(st.floats(-100, 100), min_size=5, max_size=9))
def test_turned_round_it_says_the_opposite(values):
    ours, theirs = seeds(*values), seeds(*range(len(values)))
    there, back = paired(ours, theirs), paired(theirs, ours)
    assert there.mean == pytest.approx(-back.mean)
    assert there.student == pytest.approx((-back.student.high, -back.student.low))
    opposite = {Finding.HOLDS: Finding.REVERSED, Finding.REVERSED: Finding.HOLDS, Finding.UNSEEN: Finding.UNSEEN}
    # The bootstrap draws at random: turned round, its ends move a little.
    if min(abs(end) for end in (*there.bootstrap, *there.student)) > 1:
        assert back.finding is opposite[there.finding]


def test_fewer_than_five_seeds_carry_no_verdict():
    four = paired(seeds(5, 5.1, 5.2, 5.3))
    assert four.finding is Finding.UNDECIDED
    assert four.interval == four.span == (5, 5.3)  # a range, not an interval
    assert four.student.low > 0
    assert np.isfinite(four.effect)
    assert paired(seeds(5, 5.1, 5.2, 5.3, 5.4)).finding is Finding.HOLDS


def test_two_seeds_have_no_effect_size_and_one_has_no_interval():
    two, one = paired(seeds(1, 2)), paired(seeds(1))
    assert np.isnan(two.effect)
    assert two.student.low < 0
    assert np.isnan([one.effect, *one.student, *one.bootstrap]).all()
    assert (one.mean, one.interval, one.finding) == (1, (1, 1), Finding.UNDECIDED)


@pytest.mark.parametrize(
    ("gain", "finding", "effect"),
    [(0.1, Finding.HOLDS, np.inf), (-0.1, Finding.REVERSED, -np.inf), (0.0, Finding.UNSEEN, 0.0)],
)
def test_differences_that_are_all_the_same(gain, finding, effect):
    base = seeds(97.3, 18.2, 46.1, 5.7, 0.3)
    found = paired(base + gain, base)  # the same but for rounding
    assert found.student == found.bootstrap == found.span == (found.mean, found.mean)
    assert found.mean == pytest.approx(gain)
    assert (found.finding, found.effect) == (finding, effect)


def test_a_seed_counts_where_both_have_run():
    found = paired(seeds(1, 2, 3, 4, 5, 6), pd.Series([0.0, 0.0, 0.0, 0.0, 0.0], index=[5, 4, 3, 2, 9]))
    assert (found.seeds, found.mean, found.finding) == (4, 4.5, Finding.UNDECIDED)


@pytest.mark.parametrize(
    ("ours", "theirs", "message"),
    [
        (seeds(1, np.nan), seeds(1, 2), r"ours must be finite, got \{0: 1.0, 1: nan\}"),
        (seeds(1, 2), seeds(1, np.inf), r"theirs must be finite, got \{0: 1.0, 1: inf\}"),
        (seeds(1, 2), np.nan, r"theirs must be finite"),
        (pd.Series([1.0, 2.0], index=[3, 3]), seeds(1), r"ours must hold each seed once, got \[3, 3\]"),
        (seeds(1), pd.Series([1.0], index=[7]), r"ours and theirs must share a seed, got \[0\] and \[7\]"),
        (pd.Series([], dtype=float), seeds(1), r"ours and theirs must share a seed, got \[\] and \[0\]"),
    ],
)
def test_bad_comparisons(ours, theirs, message):
    with pytest.raises(ValueError, match=message):
        paired(ours, theirs)


def test_judging():
    above = Interval(0.2, 0.4)
    assert judge(above, 5) is Finding.HOLDS
    assert judge(above, 5, direction="less") is Finding.REVERSED
    assert judge(above, 5, threshold=0.5) is Finding.REVERSED
    assert judge(above, 5, threshold=0.5, direction="less") is Finding.HOLDS
    assert judge(above, 5, threshold=0.3) is judge(above, 5, threshold=0.2) is Finding.UNSEEN  # ends count as inside
    assert judge(above, 5, threshold=0.4, direction="less") is Finding.UNSEEN
    assert judge(above, 4) is Finding.UNDECIDED
    with pytest.raises(ValueError, match=r"unknown direction 'mor': did you mean 'more'"):
        judge(above, 5, direction="mor")


def test_words_differ_and_are_defined():
    for texts in zip(*(finding.value for finding in Finding), strict=True):
        assert len(set(texts)) == len(Finding)
        assert all(texts)


def test_half_width():
    assert half_width(np.array([90.0, 92.0, 94.0])) == pytest.approx(4.302653 * 2 / 3**0.5, rel=1e-6)
    assert np.isnan(half_width(np.array([90.0])))


@pytest.mark.parametrize("folder", ["timeseries", "timeseries-padding"])
def test_committed_gains_are_those_of_their_table(folder):
    table, told = (pd.read_csv(ROOT / "results" / folder / f"{name}.csv") for name in ("table", "gains"))
    pd.testing.assert_frame_equal(gains(table, table["model"].iloc[0]), told, rtol=2e-3)


def test_few_seeds_are_told_with_their_range():
    values = {("a", 0): 50, ("a", 1): 60, ("b", 0): 52, ("b", 1): 64}
    rows = [(*who, "s", "accuracy", value) for who, value in values.items()]
    (row,) = gains(pd.DataFrame(rows, columns=["model", "seed", "set", "measure", "value"]), "a").itertuples()
    assert (row.gain, row.low, row.high, row.seeds, row.verdict) == (3, 2, 4, 2, "too few seeds")


def test_a_report_says_where_nothing_was_run():
    rows = [("softmax", 0), ("softmax", 1), ("kernel", 2), ("vars-d", 0), ("vars-d", 1)]
    rows = [(who, seed, "accuracy", "clean", 0, 90.0 + seed) for who, seed in rows]
    table = pd.DataFrame(rows, columns=["attention", "seed", "measure", "condition", "level", "value"])
    *_, kernel, vars_d = differences(Comparison(table, {}))
    assert kernel == "- `kernel`: clean not run"  # no seed that softmax has run, too
    assert vars_d == "- `vars-d`: clean +0.0 (+0.0 to +0.0)"
