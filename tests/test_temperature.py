"""Softmax at a temperature, in a layer and in a trained network."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tables import small_model
from torch.nn import functional as F

from unroll.attention import SoftmaxAttention, create, from_dict
from unroll.study import accuracy, adversarial_patch, load, under_temperatures, with_temperature

DATA = load("digits").test.first(12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("heads", [1, 2, 4, 8])
def test_at_one_nothing_changes(heads, dtype):
    layer, x = SoftmaxAttention(24, heads).to(dtype), torch.randn(2, 5, 24, dtype=dtype)
    q, k, v = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in layer.qkv(x).chunk(3, dim=-1))
    plain = layer.output(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
    assert torch.equal(layer(x), plain)
    assert torch.equal(layer.with_temperature(1)(x), plain)
    assert "temperature" not in layer.extra_repr()
    if dtype == torch.float32:
        assert torch.equal(layer.attention_map(x), (q @ k.mT * layer.head_dim**-0.5).softmax(dim=-1))


@given(temperature=st.floats(0.05, 50), masked=st.booleans())
def test_the_layer_is_the_equation_and_its_map_is_what_it_mixes_with(temperature, masked):
    layer, x = SoftmaxAttention(12, 3, temperature=temperature).double(), torch.randn(2, 5, 12, dtype=torch.float64)
    mask = torch.tensor([[True] * 5, [True, True, False, True, False]]) if masked else None
    attended = layer.attention_map(x, mask)
    q, k, v = (
        part.unflatten(-1, (3, 4)).transpose(1, 2) for part in layer.qkv(layer.check_input(x, mask)).chunk(3, -1)
    )
    logits = q @ k.mT / (temperature * math.sqrt(4))
    if masked:
        logits = logits.masked_fill(~mask[:, None, None, :], float("-inf"))
    rows = torch.ones(2, 5, dtype=torch.bool) if mask is None else mask
    torch.testing.assert_close(attended.transpose(1, 2)[rows], logits.softmax(-1).transpose(1, 2)[rows])
    mixed = layer.output((attended @ v).transpose(1, 2).flatten(2))
    torch.testing.assert_close(layer(x, mask)[rows], mixed[rows])


def test_heat_makes_attention_even():
    layer, x = SoftmaxAttention(12, 3), torch.randn(2, 5, 12)
    entropies = [
        torch.special.entr(layer.with_temperature(t).attention_map(x)).sum(-1).mean() for t in (0.1, 0.5, 1, 2, 10, 1e6)
    ]
    assert entropies == sorted(entropies)
    assert entropies[-1].item() == pytest.approx(math.log(5), abs=1e-5)


@pytest.mark.parametrize("bad", [0, -1.0, float("nan"), float("inf"), "warm", True])
def test_a_temperature_is_above_zero(bad):
    with pytest.raises(ValueError, match=r"temperature must be a finite number > 0, got"):
        SoftmaxAttention(12, 3, temperature=bad)
    with pytest.raises(ValueError, match=r"temperature must be a finite number > 0, got"):
        SoftmaxAttention(12, 3).with_temperature(bad)


def test_a_tempered_layer_shares_its_weights_and_knows_its_settings():
    layer = create("softmax", dim=12, heads=3)
    warm = layer.with_temperature(2.0)
    assert warm.qkv is layer.qkv
    assert layer.temperature == 1
    assert layer.to_dict() == {"name": "softmax", "dim": 12, "heads": 3}
    assert warm.to_dict() == {"name": "softmax", "dim": 12, "heads": 3, "temperature": 2.0}
    again = from_dict(warm.to_dict())
    again.load_state_dict(layer.state_dict())
    x = torch.randn(2, 5, 12)
    assert torch.equal(again(x), warm(x))
    assert not torch.allclose(warm(x), layer(x))
    assert repr(warm).startswith("SoftmaxAttention(\n  dim=12, heads=3, temperature=2\n")


def test_a_network_is_tempered_without_being_changed():
    model, _ = small_model()
    model.eval()
    before = model(DATA.images)
    warm = with_temperature(model, 3.0)
    assert not torch.allclose(warm(DATA.images), before)
    assert torch.equal(model(DATA.images), before)
    assert torch.equal(with_temperature(warm, 1.0)(DATA.images), before)
    assert all(a is b for a, b in zip(model.parameters(), warm.parameters(), strict=True))
    with pytest.raises(ValueError, match=r"model must attend by SoftmaxAttention to have a temperature, got VarsD"):
        with_temperature(small_model("vars-d")[0], 2.0)


def test_the_table_holds_attacks_made_through_the_tempered_network():
    model, _ = small_model()
    table = under_temperatures(model, DATA, (4.0,))
    assert list(table.columns) == ["temperature", "condition", "severity", "accuracy"]
    assert list(table.severity) == [0, 1, 2]
    assert list(table.condition) == ["clean", *["adversarial patch"] * 2]
    warm = with_temperature(model, 4.0)
    own = replace(DATA, images=adversarial_patch(warm, DATA, 1))
    assert list(table.accuracy[:2]) == [accuracy(warm, DATA), accuracy(warm, own)]
    both = under_temperatures(model, DATA, (1.0, 4.0), ["fgsm"])
    assert list(both.temperature) == [1.0] * 6 + [4.0] * 6
    assert both.accuracy[0] == accuracy(model, DATA)
    with pytest.raises(ValueError, match=r"temperature must be a finite number > 0, got 0"):
        under_temperatures(model, DATA, (0,))
