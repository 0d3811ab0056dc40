"""Augmentation of natural images: every result is a piece of the framed image, mirrored or not."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tables import small_model
from torch.nn import functional as F

from unroll.study import RandomCropFlip, Recipe, load, train


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@given(padding=st.integers(0, 4), height=st.integers(2, 6), width=st.integers(2, 6), seed=st.integers(0, 10**6))
def test_every_image_is_a_piece_of_its_framed_self(padding, height, width, seed):
    images = torch.rand(5, 2, height, width, generator=seeded(seed)) + 0.1
    changed = RandomCropFlip(padding)(images, seeded(seed))
    assert changed.shape == images.shape
    assert torch.equal(changed, RandomCropFlip(padding)(images, seeded(seed)))
    for before, after in zip(images, changed, strict=True):
        pieces = [
            F.pad(turned, (padding,) * 4)[:, top : top + height, left : left + width]
            for turned in (before, before.flip(-1))
            for top in range(2 * padding + 1)
            for left in range(2 * padding + 1)
        ]
        assert any(torch.equal(after, piece) for piece in pieces)


def test_all_places_and_both_sides_come_up():
    dot = torch.zeros(2000, 1, 9, 9)
    dot[:, 0, 4, 3] = 1
    places = RandomCropFlip(padding=2)(dot, seeded())[:, 0].nonzero()[:, 1:]
    assert len(places) == 2000
    rows, columns = places.T
    counts = rows.bincount(minlength=9)
    assert counts[[0, 1, 7, 8]].sum() == 0
    assert (counts[2:7] - 400).abs().max() < 90  # five standard deviations
    # Mirrored, the dot lies in column 5: two shifted uniform distributions of five columns each.
    expected = torch.tensor([0, 1, 1, 2, 2, 2, 1, 1, 0]) * 200
    assert (columns.bincount(minlength=9) - expected).abs().max() < 100


@pytest.mark.parametrize(("flip", "mirrored"), [(0.0, False), (1.0, True)])
def test_without_chance(flip, mirrored):
    images = torch.rand(4, 3, 5, 7)
    changed = RandomCropFlip(padding=0, flip=flip)(images, seeded())
    assert torch.equal(changed, images.flip(-1) if mirrored else images)


def test_bad_settings():
    with pytest.raises(ValueError, match=r"padding must be a whole number >= 0, got -1"):
        RandomCropFlip(padding=-1)
    with pytest.raises(ValueError, match=r"flip must lie between 0 and 1, got 2"):
        RandomCropFlip(flip=2)


def test_a_share_of_the_draws_changes_its_share_of_the_images():
    """Processes draw for the whole batch, and each changes its own images."""
    augment, images = RandomCropFlip(padding=2), torch.rand(6, 2, 5, 7)
    draws = augment.draw(6, seeded())
    whole = augment.apply(images, draws)
    assert torch.equal(whole, augment(images, seeded()))
    parts = [augment.apply(images[part], draws[:, part]) for part in (slice(0, 2), slice(2, 6))]
    assert torch.equal(torch.cat(parts), whole)


def test_networks_learn_from_them():
    (model, _), part = small_model(), load("digits").train.first(40)
    history = train(model, part, Recipe(epochs=1, batch=20, augment=RandomCropFlip(padding=1)), seeded())
    assert history.loss[0] > 0
