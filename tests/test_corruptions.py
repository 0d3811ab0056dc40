"""Corruptions: the common ones beside the library, and copies that are kept."""

import gc
import inspect
from dataclasses import replace
from zlib import crc32

import numpy as np
import pytest
import torch
from corrupt_tta import corruption_dict
from scipy import stats
from textures import even, textured

from unroll.study import COMMON, SEVERITIES, corrupt, corruptions, load
from unroll.study.corruptions import Copies
from unroll.study.corruptions.library import numpy_seeded, through_library
from unroll.study.corruptions.noise import impulse_noise
from unroll.study.robustness import spoiled

SHARES = (0.1, 0.2, 0.4, 0.6, 0.8)
OURS = ("gaussian noise", "impulse noise")
FIXED = {"shift", "defocus blur", "zoom blur", "brightness", "contrast", "pixelate", "jpeg compression"}
# These draw, but only among patches of equal contrast.
FIXED |= {"salient occlusion", "non-salient occlusion"}


@pytest.mark.parametrize("name", corruptions.names())
def test_seed_name_and_severity_decide_every_pixel_and_nothing_else_is_drawn(name):
    data = textured()
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    for severity in SEVERITIES:
        made = corrupt(data, name, severity)
        versions = 8 if name == "shift" else 1
        assert torch.equal(made.labels, data.labels.repeat(versions))
        assert made.images.shape == (3 * versions, 1, 16, 16)
        assert made.images.dtype == torch.float32
        assert 0 <= made.images.min() <= made.images.max() <= 1
        assert not torch.equal(made.images[:3], data.images)
        assert torch.equal(made.images, corrupt(data, name, severity).images)
        assert torch.equal(made.images, corrupt(data, name, severity, seed=1).images) is (name in FIXED)
    assert torch.equal(torch_state, torch.get_rng_state())
    np.testing.assert_equal(np.random.get_state(), numpy_state)  # noqa: NPY002


# At 28 pixels the elastic transform is strongest at severity 2, and a mosaic of 14 tiles fits better than one of 16;
# how dense snow, fog and frost are differs from draw to draw.
UNEVEN = {"elastic transform", "motion blur", "snow", "fog", "frost", "pixelate"}


@pytest.mark.parametrize("name", sorted({*corruptions.names()} - UNEVEN))
def test_severities_grow(name):
    data = load("mnist5k").test.first(10)
    distances = []
    for severity in SEVERITIES:
        images = corrupt(data, name, severity).images
        distances.append((images - data.images.repeat(len(images) // 10, 1, 1, 1)).square().mean().item())
    assert distances == sorted(distances)
    assert distances[-1] > 0


@pytest.mark.parametrize("severity", SEVERITIES)
def test_results_that_are_kept_depend_on_these_pixels(severity):
    """Streams 0, 1 and 2 are in the committed tables, whatever is registered before or after."""
    data, index = load("digits").test.first(5), severity - 1

    def draw(stream):
        return torch.Generator().manual_seed(3000 + 10 * stream + severity)

    noise = (0.08, 0.12, 0.18, 0.26, 0.38)[index] * torch.randn(5, 1, 8, 8, generator=draw(0))
    assert torch.equal(corrupt(data, "gaussian noise", severity, seed=3).images, (data.images + noise).clamp(0, 1))
    rank = torch.rand(5, 16, generator=draw(1)).argsort(dim=1).argsort(dim=1)
    kept = (rank >= round(SHARES[index] * 16)).view(5, 1, 4, 1, 4, 1).expand(-1, -1, -1, 2, -1, 2).reshape(5, 1, 8, 8)
    assert torch.equal(corrupt(data, "token occlusion", severity, seed=3).images, data.images * kept)
    assert corruptions["shift"].stream == 2
    impulses = impulse_noise(data, corruptions["impulse noise"].strengths[index], draw(crc32(b"impulse noise")))
    assert torch.equal(corrupt(data, "impulse noise", severity, seed=3).images, impulses)


def test_the_common_corruptions_are_those_of_the_publication():
    assert len(COMMON) == 15
    assert {name.replace(" ", "_") for name in COMMON} == {*corruption_dict} - {
        *("speckle_noise", "gaussian_blur", "spatter", "saturate")  # its four for validation
    }
    assert all(corruptions[name].strengths == SEVERITIES for name in set(COMMON) - {*OURS})
    for name in OURS:
        source = inspect.getsource(corruption_dict[name.replace(" ", "_")])
        levels = source.split("c = [")[1].split("]")[0].split(",")
        assert corruptions[name].strengths == tuple(map(float, levels))


@pytest.mark.parametrize("severity", [1, 3, 5])
def test_noise_is_distributed_as_the_librarys(severity):
    """Through one gray channel too, where a mean over three would have a third of the variance."""
    data, generator = even(), torch.Generator().manual_seed(severity)
    ours = corrupt(data, "gaussian noise", severity).images
    theirs = through_library("gaussian_noise", data, severity, generator)
    assert theirs.shape == ours.shape
    assert stats.ks_2samp(ours.flatten(), theirs.flatten()).pvalue > 0.01
    assert theirs.std().item() == pytest.approx(ours.std().item(), rel=0.03)
    ours, theirs = (
        made.flatten()
        for made in (
            corrupt(data, "impulse noise", severity).images,
            through_library("impulse_noise", data, severity, generator),
        )
    )
    for level in (0, 1):
        share = corruptions["impulse noise"].strengths[severity - 1] / 2
        assert (ours == level).float().mean().item() == pytest.approx(share, abs=0.01)
        assert (theirs == level).float().mean().item() == pytest.approx(share, abs=0.01)
    shot = corrupt(even(0.2), "shot noise", 1).images
    assert shot.std().item() == pytest.approx((0.2 / 60) ** 0.5, rel=0.05)
    assert shot.mean().item() == pytest.approx(0.2, rel=0.05)


@pytest.mark.parametrize(
    "shape", [(1, 4, 4), (1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 24, 48), (1, 64, 64), (1, 224, 224)], ids=str
)
def test_common_corruptions_run_at_every_size(shape):
    channels, height, width = shape
    data = textured(1, channels, height, width)
    for name in COMMON:
        for severity in (5,) if height > 100 else SEVERITIES:
            images = corrupt(data, name, severity).images
            assert images.shape == data.images.shape
            assert 0 <= images.min() <= images.max() <= 1
            assert not torch.equal(images, data.images)


def test_a_gray_image_comes_back_as_the_green_channel():
    gray = textured(2)
    colour = replace(gray, images=gray.images.expand(-1, 3, -1, -1))
    for name in set(COMMON) - {*OURS}:
        images = corrupt(colour, name, 3).images
        assert torch.equal(corrupt(gray, name, 3).images, images[:, 1:2])
        alike = (images - images[:, 1:2]).abs().max() < 2 / 255
        assert alike == (name not in ("shot noise", "frost"))


def test_what_the_library_does_otherwise():
    """Should this fail, the library has changed: say so where ``through_library`` is described."""
    data = load("mnist5k").test.first(2)

    def made(kind, severity):
        return through_library(kind, data, severity, torch.Generator().manual_seed(0))

    assert torch.equal(made("motion_blur", 2), made("motion_blur", 3))
    assert torch.equal(made("motion_blur", 2), made("motion_blur", 4))
    assert "plasma_fractal(mapsize=pf_size)" in inspect.getsource(corruption_dict["fog"])
    with numpy_seeded(0):
        first = corruption_dict["impulse_noise"](np.full((16, 16, 3), 99))
    with numpy_seeded(0):
        assert (corruption_dict["impulse_noise"](np.full((16, 16, 3), 99)) != first).any()


def test_numpys_random_numbers_go_on_after_an_error():
    before = np.random.get_state()  # noqa: NPY002

    def fail():
        with numpy_seeded(7):
            np.random.rand(3)  # noqa: NPY002
            raise RuntimeError("the library fell over")

    with pytest.raises(RuntimeError, match="the library fell over"):
        fail()
    np.testing.assert_equal(np.random.get_state(), before)  # noqa: NPY002


def test_bad_corruptions():
    test = load("digits").test
    with pytest.raises(ValueError, match=r"unknown corruption 'gausian noise': did you mean 'gaussian noise'\?"):
        corrupt(test, "gausian noise", 1)
    with pytest.raises(ValueError, match=r"severity must be one of \(1, 2, 3, 4, 5\), got 6"):
        corrupt(test, "gaussian noise", 6)
    with pytest.raises(ValueError, match=r"common corruptions need images of one channel or three, got 2"):
        corrupt(textured(channels=2), "fog", 1)
    with pytest.raises(ValueError, match=r"common corruptions need 4 x 4 pixels or more, got 3 x 8"):
        corrupt(textured(height=3, width=8), "pixelate", 5)
    for images in (2.5 * test.images, test.images - 1):
        with pytest.raises(ValueError, match=r"common corruptions need pixels between 0 and 1, got (0 to 2.5|-1 to 0)"):
            corrupt(replace(test, images=images), "fog", 1)
    with pytest.raises(ValueError, match=r"images must be cut into whole patches of 3 pixels, got 8 x 8"):
        corrupt(replace(test, patch=3), "token occlusion", 1)
    with pytest.raises(ValueError, match=r"natural patch spoils 8 patches at this severity, the images have 4"):
        corrupt(replace(test, patch=4), "natural patch", 4)


def test_copies_are_made_once_for_a_split_as_it_is():
    data, copies = textured(), Copies(limit=10**6)
    fog = copies(data, "fog", 2)
    assert copies(data, "fog", 2) is fog
    assert torch.equal(fog.images, corrupt(data, "fog", 2).images)
    assert copies(data, "fog", 3) is not fog
    assert copies(replace(data), "fog", 2) is not fog
    data.images.mul_(0.5)
    assert torch.equal(copies(data, "fog", 2).images, corrupt(data, "fog", 2).images)
    assert not torch.equal(copies(data, "fog", 2).images, fog.images)


def test_copies_end_with_the_split_and_stay_within_their_limit():
    data = textured()
    copies = Copies(limit=2 * data.images.nbytes)
    kept = [copies(data, "contrast", severity) for severity in SEVERITIES]
    again = [copies(data, "contrast", severity) for severity in SEVERITIES]
    assert [one is other for one, other in zip(kept, again, strict=True)] == [True, True, False, False, False]
    assert all(torch.equal(one.images, other.images) for one, other in zip(kept, again, strict=True))
    assert len(copies._kept) == 1
    del data
    gc.collect()
    assert len(copies._kept) == 0


def test_every_network_faces_the_very_same_images():
    data, names = load("digits").test.first(4), ("snow", "patch shuffling")
    rounds = [list(spoiled(torch.nn.Identity(), data, names)) for _ in range(2)]
    assert [(name, severity) for name, severity, _ in rounds[0]] == [(n, s) for n in names for s in SEVERITIES]
    assert all(one is other for (*_, one), (*_, other) in zip(*rounds, strict=True))
