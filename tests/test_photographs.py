"""Photographs and their patches."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unroll.study import assemble, patches, photograph
from unroll.study.photographs import PHOTOGRAPHS


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_photographs_are_pictures(name):
    image = photograph(name)
    assert image.shape == (213, 320)
    assert image.dtype == torch.float32
    assert 0 <= image.min() < 0.1 < 0.7 < image.max() <= 1
    neighbours = torch.corrcoef(torch.stack([image[:, 1:].flatten(), image[:, :-1].flatten()]))[0, 1]
    assert neighbours > 0.9  # natural: neighbouring pixels are alike


@given(height=st.integers(1, 12), width=st.integers(1, 12), side=st.integers(1, 5))
def test_patches_are_put_together_again(height, width, side):
    side = min(side, height, width)
    image = torch.rand(height, width)
    cut = patches(image, side)
    assert torch.equal(cut[0], image[:side, :side].flatten())
    torch.testing.assert_close(assemble(cut, (height, width), side), image)


def test_bad_input():
    with pytest.raises(ValueError, match=r"unknown photograph 'flowr': did you mean 'flower'\?"):
        photograph("flowr")
    with pytest.raises(ValueError, match=r"side must be at most 4, the smaller side of the image, got 5"):
        patches(torch.zeros(4, 9), 5)
    with pytest.raises(ValueError, match=r"cut must have shape \[6, 4\], got \[5, 4\]"):
        assemble(torch.zeros(5, 4), (3, 4), 2)
