"""Patches blanked, shuffled and spoiled: how many, which, and nothing else."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from textures import even, textured

from unroll.study import SEVERITIES, corrupt
from unroll.study.corruptions.grid import cut

SHARES = (0.1, 0.2, 0.4, 0.6, 0.8)

grids = st.builds(
    lambda rows, columns, patch, channels, seed: textured(2, channels, rows * patch, columns * patch, patch, seed),
    *(st.integers(2, 7), st.integers(2, 7), st.integers(1, 4), st.sampled_from((1, 3)), st.integers(0, 99)),
)
severities, seeds = st.sampled_from(SEVERITIES), st.integers(0, 99)


@given(grids, severities, seeds, st.sampled_from(("token occlusion", "salient occlusion", "non-salient occlusion")))
def test_occlusion_blanks_the_stated_share_and_nothing_else(data, severity, seed, name):
    before, after = cut(data), cut(corrupt(data, name, severity, seed=seed))
    changed = (before != after).any(dim=2)
    assert (changed.sum(dim=1) == round(SHARES[severity - 1] * before.shape[1])).all()
    assert (after[changed] == 0).all()
    assert torch.equal(after[~changed], before[~changed])
    if name == "token occlusion":
        return
    spread = before.unflatten(2, (data.images.shape[1], -1)).double().numpy().var(axis=3).mean(axis=2)
    for blanked, contrast in zip(changed.numpy(), spread, strict=True):
        if blanked.any() and not blanked.all():
            low, high = (~blanked, blanked) if name == "salient occlusion" else (blanked, ~blanked)
            assert contrast[low].max() <= contrast[high].min() + 1e-6


def test_an_even_patch_of_one_colour_has_no_contrast():
    data = textured(channels=3)
    data.images[:, :, :4, :4] = torch.tensor([1.0, 0.2, 0.0])[:, None, None]
    blanked = corrupt(data, "non-salient occlusion", 1).images == 0
    assert blanked[:, :, :4, :4].all()


@pytest.mark.parametrize("name", ["salient occlusion", "non-salient occlusion"])
def test_patches_of_equal_contrast_go_in_random_order(name):
    blanked = cut(corrupt(even(count=200, side=8, patch=2), name, 3))[:, :, 0] == 0
    assert (blanked.sum(dim=1) == 6).all()
    torch.testing.assert_close(blanked.float().mean(dim=0), torch.full((16,), 6 / 16), atol=0.15, rtol=0)


@given(grids, severities, seeds)
def test_shuffling_permutes_the_stated_share_of_patches(data, severity, seed):
    before, after = cut(data), cut(corrupt(data, "patch shuffling", severity, seed=seed))
    moved = (before != after).any(dim=2).sum(dim=1)
    assert (moved == max(2, round(SHARES[severity - 1] * before.shape[1]))).all()
    for one, other in zip(before.tolist(), after.tolist(), strict=True):
        assert sorted(one) == sorted(other)


@given(grids.filter(lambda data: cut(data).shape[1] >= 16), severities, seeds)
def test_natural_patches_are_few_and_hold_impulses(data, severity, seed):
    before, after = cut(data), cut(corrupt(data, "natural patch", severity, seed=seed))
    changed = before != after
    assert (changed.any(dim=2).sum(dim=1) <= (1, 2, 4, 8, 16)[severity - 1]).all()
    assert ((after[changed] == 0) | (after[changed] == 1)).all()


@pytest.mark.parametrize("severity", SEVERITIES)
def test_natural_patches_are_as_many_and_as_noisy_as_stated(severity):
    data, count = even(), (1, 2, 4, 8, 16)[severity - 1]
    changed = cut(data) != cut(corrupt(data, "natural patch", severity))
    assert (changed.any(dim=2).sum(dim=1) == count).all()
    assert changed.sum().item() / (8 * count * 64) == pytest.approx(0.27, abs=0.06)
