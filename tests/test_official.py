"""Published sets as data sets: their splits, their published corruptions, and the networks that they are meant for."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_sets import cifar10, cifar10_binary, cifar10_c, cifar10_python, idx, images, mnist

from unroll.study import DataError, Entry, Recipe, Settings, Size, figures, load, published, published_copy, run_study
from unroll.study.data import Dataset
from unroll.study.robustness import spoiled
from unroll.study.sets.corrupted import COLLECTIONS


def keys(part):
    return {image.numpy().tobytes() for image in part.images}


def check(data: Dataset, sizes: tuple[int, int, int], test_images: np.ndarray, test_labels: np.ndarray) -> None:
    """Hold a set's splits against what was published."""
    parts = (data.train, data.validation, data.test)
    assert tuple(map(len, parts)) == sizes
    assert len(keys(data.train) | keys(data.validation) | keys(data.test)) == sum(sizes)  # disjoint
    assert data.validation.labels.bincount(minlength=10).tolist() == [sizes[1] // 10] * 10
    np.testing.assert_array_equal(data.test.images.mul(255).round().byte().numpy(), test_images)
    assert data.test.labels.tolist() == test_labels.tolist()
    assert {part.images.dtype for part in parts} == {torch.float32}
    assert {part.labels.dtype for part in parts} == {torch.int64}
    assert len(data.train.first(40).labels.unique()) == 10


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_mnist(tmp_path, name, ending):
    test_images, test_labels = mnist(tmp_path, ending)["t10k"]
    data = load(name, folder=tmp_path)
    check(data, (180, 20, 50), test_images[:, None], test_labels)
    assert (data.name, data.image_shape, data.classes, data.train.patch) == (name, (1, 28, 28), 10, 4)
    assert torch.equal(load(name, folder=tmp_path).validation.images, data.validation.images)


@pytest.mark.parametrize(("write", "inside"), [(cifar10_binary, "cifar-10-batches-bin"), (cifar10_python, "")])
def test_cifar10(tmp_path, monkeypatch, write, inside):
    write(tmp_path / "cifar10" / inside)
    monkeypatch.setenv("UNROLL_DATA", str(tmp_path))
    data = load("cifar10")
    check(data, (180, 20, 30), *cifar10()["test_batch"])
    assert (data.image_shape, data.classes, data.train.patch) == ((3, 32, 32), 10, 4)
    published = {image.tobytes() for name, (each, _) in cifar10().items() if name != "test_batch" for image in each}
    assert {image.mul(255).round().byte().numpy().tobytes() for image in data.development.images} == published


@pytest.mark.parametrize(
    ("part", "array", "problem"),
    [
        ("t10k-labels-idx1", images(50)[1] + 5, r"test must hold labels from 0 to 9"),
        (
            "t10k-labels-idx1",
            images(49)[1],
            r"test must hold 49 images of 1 x 28 x 28 pixels, .* got \[50, 1, 28, 28\]",
        ),
        ("t10k-images-idx3", images(50, 28, 27)[0], r"test must hold 50 images of 1 x 28 x 28 pixels"),
    ],
)
def test_files_that_do_not_fit_each_other(tmp_path, part, array, problem):
    mnist(tmp_path, "")
    (tmp_path / f"{part}-ubyte").write_bytes(idx(array))
    with pytest.raises(DataError, match=rf"data set 'mnist': {problem}"):
        load("mnist", folder=tmp_path)


def test_too_few_images(tmp_path):
    mnist(tmp_path, "")
    for what, array in zip(("images-idx3", "labels-idx1"), images(20, 28, 28), strict=True):
        (tmp_path / f"train-{what}-ubyte").write_bytes(idx(array))
    with pytest.raises(DataError, match=r"'mnist': 20 training images are too few to draw \['validation'\] from"):
        load("mnist", folder=tmp_path)


def test_published_corruptions_of_cifar10(tmp_path, monkeypatch):
    monkeypatch.setenv("UNROLL_DATA", str(tmp_path))
    cifar10_binary(tmp_path / "cifar10")
    pictures, labels = cifar10_c(tmp_path / "cifar10-c" / "CIFAR-10-C")
    test = load("cifar10").test
    for severity in range(1, 6):
        copy = published_copy("cifar10-c", "fog", severity)
        np.testing.assert_allclose(copy.images.numpy() * 255, pictures // 2 + 10 * severity, atol=1e-3)
        assert copy.labels.tolist() == labels.tolist()
        assert torch.equal(published["cifar10-c fog"].apply(test.first(7), severity), copy.images[:7])
    faced = list(spoiled(torch.nn.Identity(), test, ["cifar10-c fog"]))
    assert [(name, severity) for name, severity, _ in faced] == [("cifar10-c fog", level) for level in range(1, 6)]
    assert torch.equal(faced[4][2].images, published_copy("cifar10-c", "fog", 5).images)
    with pytest.raises(ValueError, match=r"fog of cifar10-c was made of the test split of 'cifar10', got 20 other im"):
        published["cifar10-c fog"].apply(load("cifar10").validation, 1)
    with pytest.raises(DataError, match=r"must hold snow.npy, labels.npy; 'python -m unroll fetch cifar10-c' fetches"):
        published_copy("cifar10-c", "snow", 1)


def test_a_study_under_published_corruptions(tmp_path, monkeypatch):
    monkeypatch.setenv("UNROLL_DATA", str(tmp_path))
    cifar10_binary(tmp_path / "cifar10")
    cifar10_c(tmp_path / "cifar10-c")
    recipe, size = Recipe(epochs=1), Size(dim=8, depth=1, heads=1, mlp_ratio=1.0)
    made = run_study(Settings((Entry("softmax"),), "cifar10", recipe=recipe, size=size, conditions=("cifar10-c fog",)))
    accuracy = made.table[made.table.measure == "accuracy"]
    assert accuracy.groupby("condition").size().to_dict() == {"clean": 1, "cifar10-c fog": 5}
    assert figures.robustness(made.table).axes[0].get_xlabel() == "severity, as published"


def test_published_corruptions_of_mnist_have_one_severity(tmp_path, monkeypatch):
    monkeypatch.setenv("UNROLL_DATA", str(tmp_path))
    pictures, labels = mnist(tmp_path / "mnist")["t10k"]
    (tmp_path / "mnist-c" / "mnist_c" / "zigzag").mkdir(parents=True)
    np.save(tmp_path / "mnist-c" / "mnist_c" / "zigzag" / "test_images.npy", 255 - pictures[..., None])
    np.save(tmp_path / "mnist-c" / "mnist_c" / "zigzag" / "test_labels.npy", labels.astype(np.int64))
    test = load("mnist").test
    ((_, severity, faced),) = spoiled(torch.nn.Identity(), test, ["mnist-c zigzag"])
    assert severity == 1
    torch.testing.assert_close(faced.images, 1 - test.images)
    with pytest.raises(ValueError, match=r"severity of mnist-c must be one of \(1,\), got 2"):
        published_copy("mnist-c", "zigzag", 2)


def test_wrong_copies(tmp_path):
    cifar10_c(tmp_path)
    np.save(tmp_path / "labels.npy", np.zeros(149, dtype=np.uint8))
    with pytest.raises(DataError, match=r"fog.npy must hold bytes \[150, 32, 32, 3\], got uint8\[150, 32, 32, 3\]"):
        published_copy("cifar10-c", "fog", 1, tmp_path)
    with pytest.raises(ValueError, match=r"unknown corruption 'frog': did you mean '(fog|frost)'\?"):
        published_copy("cifar10-c", "frog")
    with pytest.raises(ValueError, match=r"unknown collection 'cifar-c': did you mean 'cifar10-c'\?"):
        published_copy("cifar-c", "fog")
    assert [len(COLLECTIONS[name]) for name in ("mnist-c", "cifar10-c")] == [15, 19]
    assert all(re.fullmatch(r"[a-z0-9 _-]+", name) for name in published)  # they become names of files
    assert replace(published["mnist-c fog"]).strengths == (1,)
