"""Data sets, their checks, shifts and augmentation."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unroll.study import SEVERITIES, DataError, RandomAffine, corrupt, datasets, load
from unroll.study.data import Split, data_folder, read_archive
from unroll.study.sets.splitting import split_by_class
from unroll.study.sets.stand_in import FORMED

MNIST_SHA = "866c5bfd11faa73bd98c921c782ae76f0ce841e8521a65daf47b74f65bbb9692"


@pytest.mark.parametrize(("name", "sizes"), [("mnist5k", (3500, 500, 1000)), ("digits", (1078, 269, 450))])
def test_splits(name, sizes):
    data = load(name)
    parts = (data.train, data.validation, data.test)
    assert tuple(map(len, parts)) == sizes
    assert len(data.development) == sizes[0] + sizes[1]
    everything = torch.cat([part.images for part in parts]).flatten(1)
    assert everything.min() == 0
    assert everything.max() == 1
    # No image of the test split is among those that networks learn from.
    learnt = {image.numpy().tobytes() for image in data.development.images}
    assert not any(image.numpy().tobytes() in learnt for image in data.test.images)
    counts = [part.labels.bincount(minlength=data.classes).double() / len(part) for part in parts]
    for count in counts[1:]:
        torch.testing.assert_close(count, counts[0], atol=0.01, rtol=0)


@pytest.mark.parametrize(("name", "shares"), [("mnist5k", (0.7, 0.1, 0.2)), ("digits", (0.6, 0.15, 0.25))])
def test_the_shipped_splits_are_drawn_as_all_others(name, shares):
    with np.load(data_folder() / f"{name}.npz") as archive:
        drawn = split_by_class(archive["labels"], dict(zip(("train", "validation", "test"), shares, strict=True)))
        for part, indices in drawn.items():
            np.testing.assert_array_equal(indices, archive[part])


SHIPPED = ("mnist5k", "digits")


def test_every_data_set_is_tested():
    assert set(datasets.names()) == {*SHIPPED, *FORMED}  # of the latter, tests/test_official.py


def test_unknown_name():
    with pytest.raises(
        ValueError, match=r"unknown data set 'mnist6k': did you mean 'mnist5k'\? known: cifar10, digits,"
    ):
        load("mnist6k")


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"data file .*mnist5k.npz is missing: restore it with 'git checkout data'"):
        read_archive("mnist5k", patch=4, checksum=MNIST_SHA, folder=tmp_path)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty"])
def test_damaged_file(tmp_path, damage):
    path = tmp_path / "mnist5k.npz"
    shutil.copy(data_folder() / "mnist5k.npz", path)
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 1
    path.write_bytes({"truncated": content[:-100], "flipped": content, "empty": b""}[damage])
    with pytest.raises(DataError, match=r"mnist5k.npz is corrupted: expected sha256 866c5bfd11fa..., got "):
        read_archive("mnist5k", patch=4, checksum=MNIST_SHA, folder=tmp_path)


def test_nan_in_a_data_set():
    clean = load("digits")
    spoiled = clean.validation.images.clone()
    spoiled[3, 0, 1, 1] = float("nan")
    mine = replace(clean, validation=replace(clean.validation, images=spoiled))
    datasets.register("spoiled")(lambda: mine)
    try:
        with pytest.raises(DataError, match=r"1 images hold NaN or infinity, the first is number 3"):
            load("spoiled")
    finally:
        datasets._entries.pop("spoiled")


@pytest.mark.parametrize("name", SHIPPED)
def test_the_first_images_of_a_split_are_of_many_classes(name):
    data = load(name)
    for part in (data.train, data.validation, data.test):
        assert len(part.first(32).labels.unique()) >= 8


def test_shift_moves_a_dot_in_eight_directions():
    dot = Split(dots(0, 0)[:1], torch.tensor([3]), 4)
    for pixels in SEVERITIES:
        moved = corrupt(dot, "shift", pixels)
        assert moved.labels.tolist() == 8 * [3]
        assert (moved.images.sum(dim=(1, 2, 3)) == 1).all()
        places = {tuple((centroid(image) / pixels).tolist()) for image in moved.images[:, 0]}
        assert places == {(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1)} - {(0, 0)}


def test_what_leaves_the_image_does_not_come_in_again():
    lit = Split(torch.ones(2, 3, 6, 8), torch.tensor([0, 1]), 2)
    images = corrupt(lit, "shift", 2).images
    assert images.shape == (16, 3, 6, 8)
    kept = images.mean(dim=(1, 2, 3)).view(8, 2)[:, 0]
    aside, along = 4 / 6, 6 / 8
    expected = torch.tensor([aside * along, aside, aside * along, along, along, aside * along, aside, aside * along])
    torch.testing.assert_close(kept, expected)


def centroid(image):
    """Return the centre of mass of an image [height, width], in pixels from its middle: (right, down)."""
    height, width = image.shape
    rows, columns = torch.arange(height) - (height - 1) / 2, torch.arange(width) - (width - 1) / 2
    return torch.stack([(image.sum(0) * columns).sum(), (image.sum(1) * rows).sum()]) / image.sum()


def dots(right, down, size=31):
    image = torch.zeros(50, 1, size, size)
    image[:, 0, size // 2 + down, size // 2 + right] = 1
    return image


def test_affine_of_nothing_is_nothing():
    images, generator = torch.rand(3, 1, 8, 8), torch.Generator()
    assert RandomAffine(0, 0, 0)(images, generator) is images
    torch.testing.assert_close(RandomAffine(0, 1e-6, 0)(images, generator), images, atol=1e-4, rtol=0)


def test_affine_shifts_by_up_to_the_share_that_it_says():
    moved = RandomAffine(shift=0.2, degrees=0, scale=0)(dots(0, 0), torch.Generator().manual_seed(0))
    places = torch.stack([centroid(image) for image in moved[:, 0]])
    assert places.abs().max() <= 0.2 * 31 + 1e-3
    assert (places.abs().amax(0) > 0.9 * 0.2 * 31).all()  # of fifty draws the largest is near the limit, on both axes
    assert places.abs().amin() < 1


def test_affine_turns_by_up_to_the_angle_that_it_says_and_keeps_the_distance():
    moved = RandomAffine(shift=0, degrees=30, scale=0)(dots(10, 0), torch.Generator().manual_seed(0))
    places = torch.stack([centroid(image) for image in moved[:, 0]])
    torch.testing.assert_close(places.norm(dim=1), torch.full((50,), 10.0), atol=0.1, rtol=0)
    angles = torch.rad2deg(torch.atan2(places[:, 1], places[:, 0]))
    assert 27 < angles.abs().max() <= 30.5
    assert angles.min() < 0 < angles.max()


def test_affine_scales_by_up_to_what_it_says():
    moved = RandomAffine(shift=0, degrees=0, scale=0.2)(dots(10, 0), torch.Generator().manual_seed(0))
    places = torch.stack([centroid(image) for image in moved[:, 0]])
    assert 8 - 0.1 <= places[:, 0].min() < 8.4
    assert 11.6 < places[:, 0].max() <= 12 + 0.1


@given(seed=st.integers(0, 10**6))
def test_affine_moves_by_at_most_what_it_says(seed):
    image = torch.zeros(1, 1, 21, 21)
    image[0, 0, 10, 10] = 1
    moved = RandomAffine(shift=3 / 21, degrees=0, scale=0)(image, torch.Generator().manual_seed(seed))[0, 0]
    rows, columns = moved.nonzero().T
    assert (rows - 10).abs().max() <= 4  # three pixels, and one more for the bilinear tail
    assert (columns - 10).abs().max() <= 4
    torch.testing.assert_close(moved.sum(), torch.tensor(1.0), atol=1e-3, rtol=0)


def test_bad_augmentation():
    with pytest.raises(ValueError, match=r"shift must lie between 0 and 1, got -1"):
        RandomAffine(shift=-1)
    with pytest.raises(ValueError, match=r"scale must lie between 0 and 1, got 2"):
        RandomAffine(scale=2)
