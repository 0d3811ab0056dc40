"""The README's picture: what it says of a group, held against maps that are known."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from unroll.models import ViT
from unroll.study import load
from unroll.study.front_page import chance, emerging, heard_of_others, loyalty
from unroll.study.maps import STEPS


@given(st.integers(1, 7), st.integers(0, 2**31 - 1))
def test_loyalty_is_one_for_loyal_maps_and_chance_for_even_ones(size, seed):
    generator = torch.Generator().manual_seed(seed)
    group = (torch.arange(8) < size)[None]
    same = group[:, :, None] == group[:, None, :]
    signed = torch.randn(1, 8, 8, generator=generator)
    assert loyalty(signed * same, group) == pytest.approx(1, abs=1e-6)
    assert loyalty(signed * ~same, group) == 0
    even = 1 - torch.eye(8)[None]
    assert loyalty(even, group) == pytest.approx(chance(group), abs=1e-6)
    assert chance(group) == pytest.approx((size - 1) / 7, abs=1e-6)


def small_model():
    torch.manual_seed(0)
    return ViT("vars-d", image_size=(8, 8), patch=2, dim=16, depth=1, heads=2), load("digits").test.first(3)


def test_what_a_patch_hears_of_itself_is_left_out():
    model, split = small_model()
    maps = heard_of_others(model, split)
    assert maps.shape == (len(STEPS), 3, 16, 16)
    assert not maps.diagonal(dim1=-2, dim2=-1).any()
    whole = model.blocks[0].attention.attention_course(model.attention_inputs(split.images)[0], STEPS).mean(dim=2)
    off = ~torch.eye(16, dtype=torch.bool)
    torch.testing.assert_close(maps[..., off], whole[..., off])


def test_the_picture_has_a_row_clean_and_a_row_under_noise():
    figure = emerging(*small_model())
    *pictures, curves = figure.axes
    assert [axis.get_title() for axis in pictures[:6]] == ["image", "1 step", *(f"{k} steps" for k in STEPS[1:])]
    assert [pictures[0].get_ylabel(), pictures[6].get_ylabel()] == ["clean", "noise"]
    assert [line.get_label() for line in curves.lines] == ["clean", "noise", "by chance"]
    assert curves.get_ylabel() == "share (%), mean of 3 digits"
