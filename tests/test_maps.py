"""Maps as the layers use them: what was carried counts, padding does not. How alike they are, of what rank."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from test_timeseries import MODELS, series

from unroll.attention import create
from unroll.models import TimeSeriesTransformer, ViT
from unroll.solvers import Unrolled
from unroll.study import (
    Entry,
    Network,
    Size,
    attended_distance,
    inspect,
    load,
    map_rank,
    map_similarity,
    mixing,
    periphery,
)
from unroll.study.series import inside
from unroll.study.series.data import SeriesDataset, SeriesSplit

SMALL_VIT = {"image_size": (8, 8), "patch": 2, "dim": 16, "depth": 2, "heads": 2}
WARM = {"warm_start": True, "projection_seed": 0, "solver": Unrolled(3)}


@pytest.mark.parametrize("seed", [0, 1])
def test_evolving_maps_are_those_that_mix_the_values(seed):
    torch.manual_seed(seed)
    model = ViT("evolving", image_size=(8, 8), patch=2, dim=16, depth=3, heads=2)
    images = torch.rand(2, 1, 8, 8)
    x, carry = model.tokens(images), None
    for block, attention_map in zip(model.blocks, model.attention_maps(images), strict=True):
        layer, seen = block.attention, block.norm1(x)
        v = layer.split_heads(layer.qkv(seen).chunk(3, dim=-1)[-1])
        heard, _ = layer.attend(seen, carry)
        torch.testing.assert_close(layer.output(layer.merge_heads(attention_map @ v)), heard)
        x, carry = block(x, carry)
    alone = model.blocks[1].attention.attention_map(model.attention_inputs(images)[1])
    assert (alone - model.attention_maps(images)[1]).abs().max() > 1e-4  # what was carried counts


def test_the_map_of_a_warm_layer_knows_its_start():
    """Without a threshold the derivative does not depend on where the solver sets out; with one it does."""
    layer = create("vars-d", dim=8, heads=2, weight=0.0, **WARM).double()
    x = torch.randn(1, 6, 8, dtype=torch.float64)
    _, carry = layer.attend(torch.randn(1, 6, 8, dtype=torch.float64))
    cold, warm = layer.attention_map(x), layer.map_after(x, carry)
    torch.testing.assert_close(cold, warm)
    layer = create("vars-d", dim=8, heads=2, weight=0.5, **WARM).double()
    _, carry = layer.attend(3 * torch.randn(1, 6, 8, dtype=torch.float64))
    assert (layer.attention_map(x) - layer.map_after(x, carry)).abs().max() > 1e-6


@pytest.mark.parametrize("name", MODELS)
def test_maps_of_series_do_not_know_of_padding(name):
    model = MODELS[name]().double().eval()
    x, mask = series(6, 4, steps=6)
    together, alone = model.attention_maps(x, mask), model.attention_maps(x[1:, :4])
    assert len(together) == {"dilated": 0}.get(name, 2 if name.startswith("plain") else 6)
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one[1:, :, :4, :4], other, atol=1e-10, rtol=0)


@pytest.mark.parametrize("name", ["plain", "ea-dc"])
def test_padding_can_be_heard_as_in_released_code(name):
    model = MODELS[name](masked=False).double().eval()
    x, mask = series(6, 4, steps=6)
    x = x.nan_to_num(0)
    padded = torch.nn.functional.pad(x, (0, 0, 0, 3))
    torch.testing.assert_close(model(x, mask), model(padded))
    honest = MODELS[name]().double().eval()
    honest.load_state_dict(model.state_dict())
    assert (honest(x, mask) - model(x, mask)).abs().max() > 1e-3
    torch.testing.assert_close(honest(padded), model(padded))


def test_looking_inside_is_the_mean_over_series():
    x, mask = series(6, 4, 5, steps=6)
    split = SeriesSplit(x.nan_to_num(0).float(), mask, torch.tensor([0, 1, 0]))
    data = SeriesDataset("small", split, split, ("a", "b"))
    model = TimeSeriesTransformer("evolving", channels=3, length=6, outputs=2, dim=16, heads=2, depth=2, hidden=8)
    looks = {(measure, layer): value for measure, layer, value in inside.look_inside(model, data)}
    assert len(looks) == 7  # two layers of three measures, and one layer that has a layer before
    maps = [model.attention_maps(split.values[index, split.mask[index]][None]) for index in range(3)]
    assert looks["map rank", 2] == pytest.approx(sum(map_rank(one[1]) for one in maps) / 3)
    between = sum(map_similarity(*one) for one in maps) / 3
    assert looks["similarity to the layer before", 2] == looks["similarity to layer 1", 2] == pytest.approx(between)


@given(st.integers(2, 12), st.integers(1, 12), st.integers(0, 5))
def test_rank_lies_between_one_and_the_number_of_groups(tokens, groups, seed):
    """Tokens of one group hear the same, so the map has at most as many directions as there are groups."""
    rows = torch.rand(groups, tokens, generator=torch.Generator().manual_seed(seed))
    attention_map = rows[torch.arange(tokens) % groups].expand(1, 1, -1, -1)
    assert 1 - 1e-4 <= map_rank(attention_map) <= min(groups, tokens) + 1e-3


def test_rank_and_similarity_of_known_maps():
    half = torch.block_diag(torch.ones(4, 4), torch.ones(4, 4))[None, None]
    assert map_rank(half) == pytest.approx(2, abs=1e-4)
    flat = torch.ones(1, 1, 8, 8)
    assert map_similarity(half, flat) == 0
    assert map_similarity(half, half.flip(-1)) == pytest.approx(-1)
    mixed = torch.cat([half, half.flip(-1)], dim=1)  # heads that cancel
    assert map_similarity(mixed, half) == pytest.approx(0, abs=1e-6)
    noisy = half + 0.1 * torch.rand(half.shape)
    rows = [part.div(part.sum(-1, keepdim=True)).flatten() for part in (half, noisy)]
    assert map_similarity(half, noisy) == pytest.approx(torch.corrcoef(torch.stack(rows))[0, 1].item(), abs=1e-5)


def test_a_network_is_inspected_by_the_maps_that_it_uses():
    data = load("digits")
    network = Network(ViT("evolving", **SMALL_VIT), Entry("evolving"), "digits", Size(16, 2, 2), 0)
    trained = inspect(network, data.validation).query("state == 'trained'")
    maps = network.model.attention_maps(data.validation.first(32).images)
    assert trained.mixing.tolist() == pytest.approx([mixing(one) for one in maps])
    looked = periphery(network.model, data.validation)
    assert looked["attended distance"].tolist() == pytest.approx(
        torch.cat([attended_distance(one, network.model.grid).mean(0) for one in maps]).tolist()
    )


@pytest.mark.parametrize("name", ["vars-d", "vars-s", "vars-sd", "hopfield"])
@pytest.mark.parametrize("listeners", [[0], [8, 2, 2]])
def test_rows_asked_for_are_those_of_the_whole_map(name, listeners):
    torch.manual_seed(0)
    layer = create(name, dim=8, heads=2, grid=(3, 3) if name in ("vars-s", "vars-sd") else None).double()
    x = torch.randn(2, 9, 8, dtype=torch.float64)
    torch.testing.assert_close(layer.attention_map(x, listeners=listeners), layer.attention_map(x)[:, :, listeners])
    for wrong in ([9], [-1], []):
        with pytest.raises(ValueError, match=r"listeners must be tokens between 0 and 8, at least one, got \["):
            layer.attention_map(x, listeners=wrong)
