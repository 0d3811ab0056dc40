"""The layer that does not attend: its map, its borders, its refusals."""

import pytest
import torch
from tables import make

from unroll.attention import create


@pytest.mark.parametrize("variant", ["convolution", "convolution-wide"])
def test_the_map_is_the_derivative_by_the_values_averaged_over_channels(variant):
    layer, x = make(variant).double(), torch.randn(2, 9, 12, dtype=torch.float64)
    values = layer.value(x).detach()
    jacobian = torch.autograd.functional.jacobian(
        lambda v: layer.kernel(v.mT.unflatten(-1, layer.grid)).flatten(-2).mT, values
    )  # B i C, B j C
    by_channel = torch.einsum("bicbjc->bcij", jacobian)
    torch.testing.assert_close(layer.attention_map(x), by_channel.unflatten(1, (3, 4)).mean(2))


def test_the_map_times_the_values_is_the_output_where_a_head_is_one_channel():
    layer, x = make("convolution", dim=4, heads=4).double(), torch.randn(2, 9, 4, dtype=torch.float64)
    mixed = layer.attention_map(x) @ layer.split_heads(layer.value(x))
    torch.testing.assert_close(layer.output(layer.merge_heads(mixed)), layer(x))


def test_it_hears_its_neighbours_whatever_they_hold():
    layer, x = create("convolution", dim=8, heads=2, grid=(5, 4)), torch.randn(3, 20, 8)
    heard = layer.attention_map(x) != 0
    assert torch.equal(layer.attention_map(x), layer.attention_map(torch.randn(3, 20, 8)))
    rows, columns = torch.arange(20) // 4, torch.arange(20) % 4
    near = ((rows - rows[:, None]).abs() <= 1) & ((columns - columns[:, None]).abs() <= 1)
    assert torch.equal(heard, near.expand_as(heard))


def test_an_even_square_has_no_middle():
    with pytest.raises(ValueError, match=r"size must be odd.*got 4"):
        create("convolution", dim=8, heads=2, grid=(3, 3), size=4)
