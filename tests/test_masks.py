"""Masks: a masked token is no token, whatever stands in its place; who is bound to a grid refuses, and says why."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tables import FREE, VARIANTS, make

from unroll import attention
from unroll.attention import IterativeAttention, attentions

BOUND = [variant for variant in VARIANTS if variant not in FREE]
CALLS = ("forward", "attend", "attention_map", "solve", "bind")


@st.composite
def masked_tokens(draw):
    """Tokens, [B, N, 12], and a mask that leaves each sample one real token or more."""
    tokens, seed = draw(st.integers(1, 9)), draw(st.integers(0, 10**6))
    rows = st.lists(st.booleans(), min_size=tokens, max_size=tokens).filter(any)
    mask = torch.tensor(draw(st.lists(rows, min_size=2, max_size=3)))
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*mask.shape, 12, dtype=torch.float64, generator=generator), mask


def test_every_attention_honours_masks_or_refuses_them():
    """No third way: who is bound to a grid cannot drop a token, the others can."""
    for name in attention.names():
        traits = attentions[name].traits
        assert traits.masks != traits.needs_grid, name
    assert all(make(variant).traits.masks for variant in FREE)
    assert BOUND


@pytest.mark.parametrize("variant", FREE)
@given(drawn=masked_tokens())
def test_masking_is_dropping(variant, drawn):
    """Each sample with a mask of its own, and rubbish in the padding."""
    x, mask = drawn
    layer = make(variant).double()
    masked = layer(x.masked_fill(~mask[:, :, None], float("nan")), mask)
    for sample, kept in enumerate(mask):
        short = layer(x[sample : sample + 1, kept])[0]
        torch.testing.assert_close(masked[sample, kept], short, atol=1e-10, rtol=0)
    assert not masked[~mask].any()


@pytest.mark.parametrize("variant", FREE)
@pytest.mark.parametrize("padding", [1, 20])
def test_the_length_of_the_padding_changes_nothing(variant, padding):
    """Tokens, map, and the code that a sparse layer finds: a masked token is no template, and weighs in no norm."""
    layer = make(variant).double()
    x = torch.randn(2, 6, 12, dtype=torch.float64)
    padded = torch.cat([x, torch.full((2, padding, 12), float("inf"), dtype=torch.float64)], dim=1)
    mask = torch.arange(6 + padding).expand(2, -1) < 6
    torch.testing.assert_close(layer(padded, mask)[:, :6], layer(x), atol=1e-10, rtol=0)
    maps = layer.attention_map(padded, mask)
    torch.testing.assert_close(maps[:, :, :6, :6], layer.attention_map(x), atol=1e-10, rtol=0)
    assert not maps[:, :, 6:].any()
    assert not maps[:, :, :, 6:].any()
    if isinstance(layer, IterativeAttention):
        expected = layer.solve(x, trace=False).value
        code = layer.solve(padded, mask, trace=False).value
        # A Hopfield layer has a state a token, those of the padding too; the others have one a template.
        torch.testing.assert_close(code[:, :, : expected.shape[2]], expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("variant", FREE)
def test_a_mask_of_ones_is_no_mask_and_masked_tokens_get_no_gradient(variant):
    layer = make(variant).double()
    x = torch.randn(2, 5, 12, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(layer(x, torch.ones(2, 5, dtype=torch.bool)), layer(x), atol=1e-12, rtol=0)
    mask = torch.tensor([[True, False, True, True, False], [True] * 5])
    layer(x, mask).square().sum().backward()
    assert not x.grad[~mask].any()
    assert (x.grad[mask].abs().sum(dim=1) > 0).all()


@pytest.mark.parametrize("variant", FREE)
def test_a_sample_of_padding_only_is_silent(variant):
    """No NaN, in the output or in any gradient, from a sample whose tokens are all masked."""
    layer = make(variant)
    x = torch.randn(2, 5, 12, requires_grad=True)
    mask = torch.tensor([[True] * 5, [False] * 5])
    y = layer(x, mask)
    y.square().sum().backward()
    assert not y[1].any()
    assert not layer.attention_map(x, mask)[1].any()
    assert all(torch.isfinite(p.grad).all() for p in layer.parameters())
    torch.testing.assert_close(y[:1], layer(x[:1]))


@pytest.mark.parametrize(
    ("variant", "call"), [(variant, call) for variant in BOUND for call in CALLS if hasattr(make(variant), call)]
)
def test_who_is_bound_to_a_grid_refuses_masks(variant, call):
    layer = make(variant)
    with pytest.raises(
        ValueError, match=rf"{type(layer).__name__} takes no mask: its tokens are the places of a fixed"
    ):
        getattr(layer, call)(torch.zeros(2, 9, 12), mask=torch.ones(2, 9, dtype=torch.bool))
