"""What published files hold, and what is said of those that are damaged or hostile."""

import gzip
import os
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_sets import cifar10, cifar10_binary, cifar10_python, idx, images

from unroll.study import DataError
from unroll.study.sets.batches import read_cifar_batch
from unroll.study.sets.formats import read_cifar_binary, read_idx, read_npy

DRAWN, LABELS = images(6, 5, 4)
IDX = idx(DRAWN)


@pytest.mark.parametrize(("name", "content"), [("a", IDX), ("a.gz", gzip.compress(IDX))])
def test_idx(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    np.testing.assert_array_equal(read_idx(tmp_path / name), DRAWN)
    (tmp_path / "labels").write_bytes(idx(LABELS))
    np.testing.assert_array_equal(read_idx(tmp_path / "labels"), LABELS)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a", IDX[:-1], r"its head tells of 120 bytes, it holds 119"),
        ("a", IDX + b"?", r"its head tells of 120 bytes, it holds more"),
        ("a", IDX[:9], r"it ends within its head"),
        ("a", b"", r"not an IDX file of bytes in one dimension or three"),
        ("a", b"\0\0\x0d\x01" + IDX[4:], r"not an IDX file of bytes"),
        ("a.gz", IDX, r"Not a gzipped file"),
        ("a.gz", gzip.compress(IDX)[:-20], r"Compressed file ended before"),
        ("a.gz", gzip.compress(IDX)[:-6] + b"??????", r"CRC check failed"),
    ],
)
def test_damaged_idx(tmp_path, name, content, problem):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"data file .*{name} is damaged: .*{problem}"):
        read_idx(tmp_path / name)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_both_versions_of_cifar_hold_the_same(tmp_path, protocol):
    cifar10_binary(tmp_path)
    cifar10_python(tmp_path, protocol)
    for name, (pictures, labels) in cifar10().items():
        for read in (read_cifar_binary(tmp_path / f"{name}.bin"), read_cifar_batch(tmp_path / name)):
            np.testing.assert_array_equal(read[0], pictures)
            np.testing.assert_array_equal(read[1], labels)


def test_a_batch_of_python_2(tmp_path):
    """As cPickle of Python 2 wrote the published ones: strings of bytes, the array's buffer among them."""
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\x01b\x87R(K\x01K\x02M\0\x0c\x86"
        b"cnumpy\ndtype\nU\x02u1K\0K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89"
        b"T\0\x18\0\0" + bytes(3072) + bytes([7]) * 3072 + b"tb"
    )
    batch = b"\x80\x02}(U\x04data" + array + b"U\x06labels](K\x03K\x09eu."
    (tmp_path / "batch").write_bytes(batch)
    pictures, labels = read_cifar_batch(tmp_path / "batch")
    assert pictures.shape == (2, 3, 32, 32)
    assert (pictures.min(axis=(1, 2, 3)).tolist(), pictures.max(axis=(1, 2, 3)).tolist()) == ([0, 7], [0, 7])
    assert labels.tolist() == [3, 9]


class Runs:
    """Something that runs a command when it is loaded."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("function", [os.system, eval, np.load, getattr])
def test_a_batch_that_would_run_something(tmp_path, protocol, function):
    ran = tmp_path / "ran"
    call = Runs(function, f"touch {ran}", "x") if function is getattr else Runs(function, f"touch {ran}")
    (tmp_path / "batch").write_bytes(pickle.dumps({b"data": call, b"labels": [1]}, protocol=protocol))
    asked = r"it asks for \S+, which no array of bytes needs"
    with pytest.raises(DataError, match=rf"data file .*batch is refused: {asked}"):
        read_cifar_batch(tmp_path / "batch")
    assert not ran.exists()


PIXELS = np.zeros((1, 3072), dtype=np.uint8)


@pytest.mark.parametrize(
    ("batch", "problem"),
    [
        ({b"data": PIXELS.astype(np.float32), b"labels": [1]}, r"refused: its array is not one of bytes in C order"),
        ({b"data": np.array([["a"]], dtype=object), b"labels": [1]}, r"refused: its array is not one of bytes"),
        ({b"data": np.asfortranarray(np.zeros((2, 3072), np.uint8)), b"labels": [1, 2]}, r"refused: its array is not"),
        ({b"data": PIXELS, b"labels": [0.5]}, r"refused: its labels are not whole numbers"),
        ({b"data": PIXELS, b"labels": [1, 2]}, r"damaged: cannot reshape array of size 3072"),
        ({b"data": PIXELS}, r"damaged: b'labels'"),
        ([1, 2], r"damaged: "),
    ],
)
def test_a_batch_of_something_else(tmp_path, batch, problem):
    (tmp_path / "batch").write_bytes(pickle.dumps(batch, protocol=2))
    with pytest.raises(DataError, match=rf"data file .*batch is {problem}"):
        read_cifar_batch(tmp_path / "batch")


@given(data=st.data())
def test_a_damaged_batch_is_read_or_told_of(data, tmp_path_factory):
    content = bytearray(pickle.dumps({b"data": PIXELS[:, :3072], b"labels": [1]}, protocol=2))
    head = len(content) - 3072
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, head // 2))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "batch"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        pictures, labels = read_cifar_batch(path)
        problem = None
    except DataError as error:
        problem = str(error)
    assert str(path) in problem if problem else pictures.shape == (len(labels), 3, 32, 32)


def test_damaged_binary_batches(tmp_path):
    for content in (b"", bytes(3072), bytes(3074)):
        (tmp_path / "a.bin").write_bytes(content)
        with pytest.raises(DataError, match=rf"a.bin is damaged: expected records of 3073 bytes, got {len(content)}"):
            read_cifar_binary(tmp_path / "a.bin")


def test_arrays(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, DRAWN)
    np.testing.assert_array_equal(read_npy(path), DRAWN)
    whole = path.read_bytes()
    ran = tmp_path / "ran"
    np.save(path, np.array([Runs(os.system, f"touch {ran}")], dtype=object))
    for content in (whole[:-1], whole[:20], b"", b"?" * 200, path.read_bytes()):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"data file .*a.npy is damaged: "):
            read_npy(path)
    assert not ran.exists()
    np.save(path, DRAWN / 2)
    with pytest.raises(DataError, match=r"a.npy must hold whole numbers, got float64"):
        read_npy(path)
