"""Corruptions: what decides their pixels, what they take, and copies that are kept."""

import gc
from dataclasses import replace
from zlib import crc32

import numpy as np
import pytest
import torch
from textures import textured

from unroll.study import COMMON, SEVERITIES, corrupt, corruptions, load
from unroll.study.corruptions import Copies
from unroll.study.corruptions.grid import cut
from unroll.study.robustness import spoiled

SHARES = (0.1, 0.2, 0.4, 0.6, 0.8)
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


# Published constants that do not grow: moves of the elastic transform become less wide as they become rougher, glass
# blur smooths more at severities 3 and 5, frost of severity 4 is that of 3 on less of the image.
UNEVEN = {"elastic transform", "glass blur", "frost"}


@pytest.mark.parametrize("name", sorted({*corruptions.names()} - UNEVEN))
def test_severities_grow(name):
    data = load("mnist5k").validation.first(60)
    distances = []
    for severity in SEVERITIES:
        images = corrupt(data, name, severity).images
        distances.append((images - data.images.repeat(len(images) // 60, 1, 1, 1)).square().mean().item())
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


@pytest.mark.parametrize("severity", SEVERITIES)
def test_natural_patches_keep_their_pixels(severity):
    data = load("digits").test.first(5)
    generator = torch.Generator().manual_seed(3000 + 10 * crc32(b"natural patch") + severity)
    draw = torch.rand(5, 1, 8, 8, generator=generator)
    rank = torch.rand(5, 16, generator=generator).argsort(dim=1).argsort(dim=1)
    spoiled = data.images.where(draw >= 0.27, (draw < 0.135).float())
    chosen = (rank < (1, 2, 4, 8, 16)[severity - 1])[..., None]
    made = corrupt(data, "natural patch", severity, seed=3)
    assert torch.equal(cut(made), cut(replace(data, images=spoiled)).where(chosen, cut(data)))


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
            # One pixel in a hundred may be none of 64.
            assert height < 16 or not torch.equal(images, data.images)


def test_a_gray_image_is_one_of_three_equal_channels():
    """But for noise, which every channel has for itself; where frost tints, it has the green one."""
    gray = textured(2)
    colour = replace(gray, images=gray.images.expand(-1, 3, -1, -1))
    for name in COMMON[3:]:
        images = corrupt(colour, name, 3).images
        torch.testing.assert_close(corrupt(gray, name, 3).images, images[:, 1:2], atol=1e-5, rtol=0)
        assert ((images - images[:, 1:2]).abs().max() < 1e-5) == (name != "frost")


def test_levels_go_with_the_smaller_side():
    for height, width, kept in ((63, 80, 0.75), (80, 63, 0.75), (64, 80, 0.4), (80, 64, 0.4)):
        data = textured(2, 3, height, width)
        spread = corrupt(data, "contrast", 1).images.std(dim=(2, 3)) / data.images.std(dim=(2, 3))
        torch.testing.assert_close(spread, torch.full((2, 3), kept))
    strengths = {name: corruptions[name].strengths for name in COMMON}
    assert strengths.pop("gaussian noise") == (0.08, 0.12, 0.18, 0.26, 0.38)
    assert set(strengths.values()) == {SEVERITIES}


def test_images_that_are_taken_in_parts_are_drawn_one_by_one():
    data = textured(1)
    many = replace(data, images=data.images.repeat(501, 1, 1, 1), labels=data.labels.repeat(501))
    for name in ("fog", "shot noise", "elastic transform"):
        assert len(corrupt(many, name, 3).images.unique(dim=0)) == 501
    assert len(corrupt(many, "zoom blur", 3).images.unique(dim=0)) == 1


@pytest.mark.parametrize("name", COMMON[1:])
def test_precision_stays(name):
    data = textured(2)
    double = replace(data, images=data.images.double())
    made = corrupt(double, name, 3).images
    assert made.dtype == torch.float64
    torch.testing.assert_close(made.float(), corrupt(data, name, 3).images, atol=1e-5, rtol=0)


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
