"""Data sets, their checks, corruptions and augmentation."""

import shutil

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unroll.study import SEVERITIES, DataError, RandomAffine, corrupt, corruptions, datasets, load
from unroll.study.data import check_finite, data_folder, read_archive

MNIST_SHA = "3525fdd1b4d879538af84c10398ac54bd2a887359a6a86ef07a7d2e7d5c07481"


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


def test_every_data_set_is_tested():
    assert set(datasets.names()) == {"mnist5k", "digits"}


def test_unknown_name():
    with pytest.raises(ValueError, match=r"unknown data set 'mnist': did you mean 'mnist5k'\? known: digits, mnist5k"):
        load("mnist")


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
    with pytest.raises(DataError, match=r"mnist5k.npz is corrupted: expected sha256 3525fdd1b4d8..., got "):
        read_archive("mnist5k", patch=4, checksum=MNIST_SHA, folder=tmp_path)


def test_nan_in_a_data_set():
    images = torch.rand(5, 1, 4, 4)
    images[3, 0, 1, 1] = float("nan")
    with pytest.raises(DataError, match=r"data set 'mine': 1 images hold NaN or infinity, the first is number 3"):
        check_finite("mine", images)


@pytest.mark.parametrize("name", corruptions.names())
def test_corruptions_are_repeatable_and_grow(name):
    test = load("mnist5k").test.first(50)
    distances = []
    for severity in SEVERITIES:
        corrupted = corrupt(test, name, severity)
        assert torch.equal(corrupted.images, corrupt(test, name, severity).images)
        assert not torch.equal(corrupted.images, corrupt(test, name, severity, seed=1).images)
        assert torch.equal(corrupted.labels, test.labels)
        assert 0 <= corrupted.images.min() <= corrupted.images.max() <= 1
        distances.append((corrupted.images - test.images).square().mean().item())
    assert distances == sorted(distances)
    assert distances[0] > 0


def test_occlusion_blanks_whole_patches_and_the_stated_share():
    test = load("mnist5k").test.first(20)
    lit = test.images.new_ones(test.images.shape)
    for severity, share in zip(SEVERITIES, (0.1, 0.2, 0.4, 0.6, 0.8), strict=True):
        images = corrupt(type(test)(lit, test.labels, test.patch), "token occlusion", severity).images
        patches = torch.nn.functional.unfold(images, 4, stride=4)
        assert ((patches == patches[:, :1]).all(dim=1)).all()
        torch.testing.assert_close(1 - patches[:, 0].mean(1), torch.full((20,), round(share * 49) / 49))


def test_bad_corruptions():
    test = load("digits").test
    with pytest.raises(ValueError, match=r"unknown corruption 'gausian noise': did you mean 'gaussian noise'\?"):
        corrupt(test, "gausian noise", 1)
    with pytest.raises(ValueError, match=r"severity must be one of \(1, 2, 3, 4, 5\), got 6"):
        corrupt(test, "gaussian noise", 6)


def test_affine_of_nothing_is_nothing_and_a_shift_is_a_shift():
    images, generator = torch.rand(3, 1, 8, 8), torch.Generator()
    assert RandomAffine(0, 0, 0)(images, generator) is images
    nearly = RandomAffine(0, 1e-6, 0)(images, generator)
    torch.testing.assert_close(nearly, images, atol=1e-4, rtol=0)


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
