"""Folders of images: how they are divided, decoded and cropped, and what is said of those that cannot be read."""

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from tiny_sets import pictures

from unroll.study import DataError, image_folder, load
from unroll.study.sets.folders import read_image

CLASSES = {"ant": 20, "bee": 30, "cat": 10}


def numbers(part):
    """Return the class that each image shows, by its red, and the number it has in its file's name, by its green."""
    pixels = part.images[:, :, 8, 8].mul(255).round().int()
    return pixels[:, 0].div(20).int().tolist(), set(zip(pixels[:, 0].tolist(), pixels[:, 1].tolist(), strict=True))


def test_classes_in_the_folder_itself(tmp_path):
    pictures(tmp_path / "beasts", CLASSES)
    (tmp_path / "beasts" / "ant" / "notes.txt").write_text("not an image")
    (tmp_path / "beasts" / ".hidden").mkdir()
    data = image_folder(tmp_path / "beasts", size=16, patch=4)
    assert data.told() == "beasts: 3 x 16 x 16 pixels, 3 classes, 48 train, 6 validation, 6 test"
    everything = set()
    for part, counts in ((data.train, [16, 24, 8]), (data.validation, [2, 3, 1]), (data.test, [2, 3, 1])):
        shown, who = numbers(part)
        assert shown == part.labels.tolist()
        assert part.labels.bincount().tolist() == counts
        assert part.labels.tolist() != sorted(part.labels.tolist())
        everything |= who
    assert len(everything) == 60
    assert numbers(image_folder(tmp_path / "beasts", size=16, patch=4).test) == numbers(data.test)


@pytest.mark.parametrize(
    ("parts", "sizes"),
    [
        ({"train": 30, "val": 20, "test": 10}, (90, 60, 30)),
        ({"train": 30, "validation": 20, "test": 10}, (90, 60, 30)),
        ({"train": 30, "val": 20}, (81, 9, 60)),  # as in ImageNet, where val is what results are reported on
        ({"train": 30, "test": 20}, (81, 9, 60)),
        ({"train": 30}, (72, 9, 9)),
    ],
)
def test_parts(tmp_path, parts, sizes):
    for part, count in parts.items():
        pictures(tmp_path / part, dict.fromkeys("abc", count), size=(4, 4))
    data = image_folder(tmp_path, size=2, patch=2)
    assert tuple(map(len, (data.train, data.validation, data.test))) == sizes
    assert len(data.test.first(20).labels.unique()) == 3


def test_imagenet_is_such_a_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("UNROLL_DATA", str(tmp_path))
    pictures(tmp_path / "imagenet" / "train", {"n01": 10, "n02": 10}, suffix=".JPEG")
    pictures(tmp_path / "imagenet" / "val", {"n01": 2, "n02": 2}, suffix=".JPEG")
    assert load("imagenet").told() == "imagenet: 3 x 224 x 224 pixels, 2 classes, 18 train, 2 validation, 4 test"


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "1", "P", "CMYK"])
@pytest.mark.parametrize("size", [(64, 32), (32, 64), (32, 32), (8, 4)])
def test_an_image_is_resized_and_cropped_to_its_centre(tmp_path, size, mode):
    """A white square in the centre, half as wide as the shorter side, is that in the result too."""
    image, short = Image.new("L", size), min(size)
    left, top = (size[0] - short // 2) // 2, (size[1] - short // 2) // 2
    image.paste(255, (left, top, left + short // 2, top + short // 2))
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    image.convert(mode).save(path)
    decoded = read_image(path, 16)
    assert decoded.shape == (3, 16, 16)
    assert decoded[:, 6:10, 6:10].min() > 200
    assert decoded[:, [0, 15]].max() < 60
    assert decoded[:, :, [0, 15]].max() < 60


def test_channels_and_rows_stay_where_they_are(tmp_path):
    image = np.zeros((16, 16, 3), dtype=np.uint8)
    image[2, 5, 0], image[9, 1, 2] = 200, 100
    Image.fromarray(image).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", 16), image.transpose(2, 0, 1))


def huge(path):
    """Write a PNG whose head tells of 30,000 x 30,000 pixels."""
    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    framed = [struct.pack(">I", len(c)) + kind + c + struct.pack(">I", zlib.crc32(kind + c)) for kind, c in chunks]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(framed))


def test_images_that_cannot_be_read(tmp_path):
    pictures(tmp_path / "set", CLASSES, size=(300, 200))
    bad = tmp_path / "set" / "bee" / "7.png"
    good = np.random.default_rng(0).integers(256, size=(200, 300, 3), dtype=np.uint8)
    Image.fromarray(good).save(bad)
    whole = bad.read_bytes()
    for content in (b"", b"?", whole[: len(whole) // 2]):
        bad.write_bytes(content)
        with pytest.raises(DataError, match=r"image .*7.png is damaged or refused: "):
            image_folder(tmp_path / "set", size=16, patch=4)
    huge(bad)
    with pytest.raises(DataError, match=r"7.png is damaged or refused: Image size \(900000000 pixels\) exceeds limit"):
        image_folder(tmp_path / "set", size=16, patch=4)


def test_folders_that_cannot_be_read(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"data set 'none' is not there: .*none must be a folder with one subfolder of"):
        image_folder(tmp_path / "none")
    with pytest.raises(ValueError, match=r"size must be a multiple of patch = 16, got 100"):
        image_folder(tmp_path, size=100)
    pictures(tmp_path / "train", {"a": 20, "b": 20}, size=(4, 4))
    pictures(tmp_path / "val", {"a": 1, "c": 1}, size=(4, 4))
    with pytest.raises(DataError, match=r"the classes of .*val are not those of .*train"):
        image_folder(tmp_path)
    (tmp_path / "val" / "b").mkdir()
    with pytest.raises(DataError, match=r"val/b holds no images \(.png, "):
        image_folder(tmp_path)
    pictures(tmp_path / "few", {"a": 3, "b": 3}, size=(4, 4))
    with pytest.raises(DataError, match=r"6 training images are too few to draw \['validation', 'test'\] from"):
        image_folder(tmp_path / "few", size=4, patch=2)
    monkeypatch.setattr(os, "sysconf", lambda name: {"SC_PHYS_PAGES": 1, "SC_PAGE_SIZE": 4096}[name])
    with pytest.raises(DataError, match=r"6 images of 3 x 224 x 224 pixels take 0 GiB of memory, this machine has 0"):
        image_folder(tmp_path / "few")
