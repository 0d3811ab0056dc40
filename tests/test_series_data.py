"""Sets of time series: what is shipped, what is read from a path, and what is wrong with a damaged file."""

import shutil

import pytest
import torch

from unroll.study import DataError, load_series, series_sets
from unroll.study.data import data_folder
from unroll.study.series.data import CHECKSUMS, SeriesDataset, SeriesSplit, assemble, read_packed
from unroll.study.series.ts_format import parse_ts, read_ts

# Series of the archives' own splits, their longest, channels, and classes (0 for regression).
SETS = {
    "GunPoint": (50, 150, 150, 1, 2),
    "ItalyPowerDemand": (67, 1029, 24, 1, 2),
    "ArrowHead": (36, 175, 251, 1, 3),
    "OSULeaf": (200, 242, 427, 1, 6),
    "ACSF1": (100, 100, 1460, 1, 10),
    "BasicMotions": (40, 40, 100, 6, 4),
    "JapaneseVowels": (270, 370, 29, 12, 9),
    "PickupGestureWiimoteZ": (50, 50, 361, 1, 10),
    "Covid3Month": (140, 61, 84, 1, 0),
    "CardanoSentiment": (74, 33, 24, 2, 0),
}
HEADER = "#a comment\n@problemName Small\n@timestamps false\n@dimensions 2\n@classLabel true a b\n@data\n"


def test_every_set_is_tested():
    assert set(SETS) == set(series_sets.names())


@pytest.mark.parametrize("name", SETS)
def test_shipped_sets(name):
    data = load_series(name)
    assert (len(data.train), len(data.test), data.length, data.channels, len(data.classes)) == SETS[name]
    assert data.outputs == (len(data.classes) or 1)
    for split in (data.train, data.test):
        assert split.values.dtype == torch.float32
        assert not split.values[~split.mask].any()
        ends = split.mask.sum(dim=1)
        assert torch.equal(split.mask, torch.arange(data.length) < ends[:, None])
        if data.classes:
            assert split.targets.dtype == torch.int64
            assert split.targets.unique().tolist() == list(range(len(data.classes)))
        else:
            assert split.targets.dtype == torch.float32
    learnt = {series.numpy().tobytes() for series in data.train.values}
    known = sum(series.numpy().tobytes() in learnt for series in data.test.values)
    assert known <= 0.2 * len(data.test)  # countries without a case yet have one and the same series


def test_series_vary_in_length_where_they_should():
    lengths = load_series("JapaneseVowels").train.mask.sum(dim=1)
    assert (int(lengths.min()), int(lengths.max())) == (7, 26)


def test_standardised_by_the_training_series_alone():
    data = load_series("JapaneseVowels")
    scaled = data.standardised()
    real = scaled.train.values[scaled.train.mask]
    torch.testing.assert_close(real.mean(dim=0), torch.zeros(12), atol=1e-5, rtol=0)
    torch.testing.assert_close(real.std(dim=0), torch.ones(12), atol=1e-5, rtol=0)
    assert scaled.test.values[scaled.test.mask].mean(dim=0).abs().max() > 1e-3
    assert not scaled.train.values[~scaled.train.mask].any()
    # One factor and one shift a channel, the same in both splits.
    mean, std = (getattr(data.train.values[data.train.mask], part)(dim=0) for part in ("mean", "std"))
    back = (scaled.test.values * std + mean).masked_fill(~data.test.mask[..., None], 0)
    torch.testing.assert_close(back, data.test.values, atol=1e-4, rtol=1e-4)


def test_a_constant_channel_is_only_shifted():
    split = SeriesSplit(torch.full((2, 3, 1), 5.0), torch.ones(2, 3, dtype=torch.bool), torch.tensor([0, 1]))
    assert not SeriesDataset("flat", split, split, ("a", "b")).standardised().test.values.any()


def test_shortened_by_means_over_real_steps():
    values = torch.tensor([[1.0, 3, 5, 7, 9], [2, 4, 6, 0, 0]])[..., None]
    mask = torch.tensor([[True] * 5, [True, True, True, False, False]])
    split = SeriesSplit(values, mask, torch.tensor([0, 1]))
    data = SeriesDataset("small", split, split, ("a", "b"))
    short = data.shortened(3)
    assert short.train.values[..., 0].tolist() == [[2, 6, 9], [3, 6, 0]]
    assert short.test.mask.tolist() == [[True] * 3, [True, True, False]]
    assert (short.length, short.classes) == (3, ("a", "b"))
    assert data.shortened(5) is data.shortened(9) is data
    assert load_series("OSULeaf").shortened(64).length == 61
    with pytest.raises(ValueError, match="longest must be a whole number >= 1, got 0"):
        data.shortened(0)


def write(folder, train, test):
    (folder / "Small").mkdir()
    (folder / "Small" / "Small_TRAIN.ts").write_text(train)
    (folder / "Small" / "Small_TEST.ts").write_text(test)


def test_other_sets_are_read_from_a_path(tmp_path):
    write(tmp_path, HEADER + "1,2,3:4,5,6:b\n\n7,8:9,10:a\n", HEADER + "1:2:a\n")
    data = load_series("Small", tmp_path)
    assert data.train.values.tolist() == [[[1, 4], [2, 5], [3, 6]], [[7, 9], [8, 10], [0, 0]]]
    assert data.train.mask.tolist() == [[True] * 3, [True, True, False]]
    assert data.train.targets.tolist() == [1, 0]
    assert data.test.values.shape == (1, 3, 2)
    assert data.classes == ("a", "b")


def test_regression_from_a_path(tmp_path):
    header = "@targetlabel true\n@data\n"
    write(tmp_path, header + "1,2:0.5\n", header + "3,4:-1e-3\n")
    data = load_series("Small", tmp_path)
    assert data.outputs == 1
    assert data.test.targets.tolist() == pytest.approx([-0.001])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"small.ts must hold series behind a line '@data', got none: is it cut off\?"),
        (HEADER, r"small.ts must hold series behind a line '@data', got none: is it cut off\?"),
        (HEADER + "1,2:3", r"small.ts, line 7: expected 2 channels and a target, got 1: is it cut off\?"),
        (HEADER + "1,2:3,4:a\n1,2:3", r"small.ts, line 8: expected 2 channels and a target, got 1: is it cut off\?"),
        (HEADER + "1,2:3:a", r"small.ts, line 7: expected channels of one length, got \[1, 2\]: is it cut off\?"),
        (HEADER + "1,2:3,4:c", r"small.ts, line 7: expected one of the classes a, b, got 'c'"),
        (HEADER + "1,2:3,x:a", r"small.ts, line 7: expected numbers between commas, got one that is none: .*'x'"),
        (HEADER + "1,2:3,:a", r"small.ts, line 7: expected numbers between commas, got one that is none"),
        ("1,2:3\n", r"small.ts, line 1: expected a header line, which begins with @, got '1,2:3'"),
        ("@timestamps true\n@data\n1:a", r"small.ts must hold plain series, got time stamps, which are not read"),
        ("@data\n1:a", r"small.ts must declare '@classLabel true ...' or '@targetLabel true', got neither"),
        ("@classLabel false\n@data\n1", r"small.ts must declare '@classLabel true ...' or '@targetLabel true', got"),
        ("@targetLabel true\n@data\n1:a", r"small.ts, line 3: expected a number to regress, got 'a'"),
        (
            "@equalLength true\n@seriesLength 3\n@targetLabel true\n@data\n1,2:1",
            r"small.ts, line 5: expected 3 steps, got 2: is it cut off\?",
        ),
    ],
)
def test_damaged_text(text, message):
    with pytest.raises(DataError, match=message):
        parse_ts(text, "small.ts")


def test_missing_values_are_refused_with_their_place(tmp_path):
    write(tmp_path, HEADER + "1,2:3,4:a\n1,?:3,4:b", HEADER + "1,2:3,4:a")
    with pytest.raises(DataError, match=r"'Small': 1 train series hold NaN or infinity, the first is number 1"):
        load_series("Small", tmp_path)


def test_files_that_do_not_fit_each_other():
    one, other = parse_ts(HEADER + "1:2:a", "one"), parse_ts("@classLabel true a c\n@data\n1:a", "other")
    with pytest.raises(DataError, match=r"'Small': the classes of train and test must agree, got \('a', 'b'\) and"):
        assemble("Small", one, other)
    narrow = parse_ts("@classLabel true a b\n@data\n1:a", "narrow")
    with pytest.raises(DataError, match=r"'Small': the channels of train and test must agree, got 2 and 1"):
        assemble("Small", one, narrow)


def test_wrong_names(tmp_path):
    with pytest.raises(ValueError, match=r"unknown series set 'GunPoints': did you mean 'GunPoint'\? known: ACSF1"):
        load_series("GunPoints")
    (tmp_path / "Small").mkdir()
    with pytest.raises(DataError, match=r"must hold a folder 'Smal': did you mean 'Small'\? known: Small"):
        load_series("Smal", tmp_path)
    with pytest.raises(DataError, match=r"series file .*Small_TRAIN.ts is missing"):
        load_series("Small", tmp_path)
    with pytest.raises(DataError, match=r"series file .*none.ts is missing"):
        read_ts(tmp_path / "none.ts")


def test_a_damaged_archive(tmp_path):
    path = tmp_path / "GunPoint.npz"
    shutil.copy(data_folder() / "GunPoint.npz", path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DataError, match=r"GunPoint.npz is corrupted: expected sha256 a7555ba26a61..., got "):
        read_packed("GunPoint", checksum=CHECKSUMS["GunPoint"], folder=tmp_path)
