"""Peripheral attention: against the released arithmetic written plainly, its gradients, how it starts."""

import pytest
import torch
from direct import DirectAttention, DirectPosition
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from unroll.attention import DistanceProjection, PositionNetwork, biased, create, distances, peripheral_projection
from unroll.models import TimeSeriesTransformer, ViT, swap

DOUBLE = {"dtype": torch.float64}


def network(heads=2, grid=(3, 4), side=3, published=True, seed=0):
    """Return a position network in float64 with weights that are nothing special."""
    torch.manual_seed(seed)
    made = PositionNetwork(heads, grid, side=side, published=published).double()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return made


def slopes(module, upstream, *inputs):
    """Return the gradients by the inputs and parameters, zero where there is none."""
    wanted = [*inputs, *module.parameters()]
    loss = (module(*inputs) * upstream).sum()
    return torch.autograd.grad(loss, wanted, allow_unused=True, materialize_grads=True)


@settings(max_examples=12, deadline=None)
@given(
    grid=st.tuples(st.integers(1, 5), st.integers(2, 5)),
    heads=st.integers(1, 3),
    side=st.sampled_from([1, 3, 5]),
    seed=st.integers(0, 10**6),
)
def test_the_plane_of_offsets_gives_what_an_image_for_every_query_gives(grid, heads, side, seed):
    ours = network(heads, grid, side, seed=seed)
    theirs = DirectPosition(ours)
    torch.testing.assert_close(ours().exp(), theirs(), atol=1e-9, rtol=0)
    upstream = torch.randn_like(theirs())
    by_ours = slopes(ours, upstream * theirs().detach())  # that of P, by log P
    for one, other in zip(by_ours, slopes(theirs, upstream), strict=True):
        torch.testing.assert_close(one, other, atol=1e-8, rtol=1e-8)


def test_the_layer_is_the_released_one():
    layer = create("peripheral", dim=8, heads=2, grid=(4, 3), published=True).double()
    layer.position = network(2, (4, 3))
    x, upstream = torch.randn(2, 12, 8, **DOUBLE, requires_grad=True), torch.randn(2, 12, 8, **DOUBLE)
    direct = DirectAttention(layer)
    torch.testing.assert_close(layer(x), direct(x), atol=1e-12, rtol=0)
    for one, other in zip(slopes(layer, upstream, x), slopes(direct, upstream, x), strict=True):
        torch.testing.assert_close(one, other, atol=1e-9, rtol=0)


@pytest.mark.parametrize("side", [1, 3])
@pytest.mark.parametrize("budget", [1, 2000, 2**20])
def test_the_hand_written_backward_pass_in_blocks_of_any_size(side, budget, monkeypatch):
    monkeypatch.setattr(peripheral_projection, "_CACHED", budget)
    made = network(2, (4, 3), side)
    taps, *inputs = (part.detach() for part in made._projections())
    inputs = [part.requires_grad_() for part in (*inputs, made.norm2.weight.detach(), made.norm2.bias.detach())]
    calls = (peripheral_projection.peripheral_projection, peripheral_projection.plain)
    ours, theirs = (call(taps, *inputs, eps=1e-5) for call in calls)
    torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=0)
    upstream = torch.randn_like(ours)
    for one, other in zip(
        torch.autograd.grad(ours, inputs, upstream), torch.autograd.grad(theirs, inputs, upstream), strict=True
    ):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=0)
    assert torch.autograd.gradcheck(lambda *parts: calls[0](taps, *parts, eps=1e-5), inputs, fast_mode=True)


@pytest.mark.parametrize("budget", [1, 25, 2**18])
def test_attention_with_a_shared_bias(budget, monkeypatch):
    monkeypatch.setattr(biased, "_CACHED", budget)
    inputs = [torch.randn(2, 3, 5, 4, **DOUBLE, requires_grad=True) for _ in range(3)]
    inputs.append(torch.randn(3, 5, 5, **DOUBLE, requires_grad=True))
    q, k, v, bias = inputs
    ours, theirs = biased.biased_attention(*inputs), F.scaled_dot_product_attention(q, k, v, attn_mask=bias[None])
    torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=0)
    upstream = torch.randn_like(ours)
    for one, other in zip(
        torch.autograd.grad(ours, inputs, upstream), torch.autograd.grad(theirs, inputs, upstream), strict=True
    ):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=0)
    assert torch.autograd.gradcheck(biased.biased_attention, inputs, fast_mode=True)


def test_biases_before_a_norm_are_dead_and_the_others_are_not():
    layer = create("peripheral", dim=8, heads=2, grid=(3, 3), published=True, symmetric=False)
    layer(torch.randn(2, 9, 8)).square().sum().backward()
    dead = {name for name, p in layer.named_parameters() if p.grad is None}
    assert dead == {f"position.{name}.bias" for name in ("distance", "first", "second")}
    assert layer.qkv.bias is None
    ours = create("peripheral", dim=8, heads=2, grid=(3, 3))
    assert not dead & set(dict(ours.named_parameters()))


@pytest.mark.parametrize("symmetric", [True, False])
def test_hidden_channels_that_start_alike_stay_alike(symmetric):
    """The release's do; ours do not."""
    torch.manual_seed(0)
    layer = create("peripheral", dim=8, heads=2, grid=(3, 3), symmetric=symmetric).double()
    optimiser = torch.optim.AdamW(layer.parameters(), 1e-2)
    x, target = torch.randn(2, 9, 8, **DOUBLE), torch.randn(2, 9, 8, **DOUBLE)
    before = layer.position.first.weight.detach().clone()
    for _ in range(10):
        optimiser.zero_grad()
        (layer(x) - target).square().sum().backward()
        optimiser.step()
    weight = layer.position.first.weight.detach()
    assert (weight - before).abs().max() > 1e-3
    assert bool((weight.std(dim=0) < 1e-12).all()) is symmetric


@pytest.mark.parametrize("projection", ["distance", "layers", "peripheral"])
def test_layers_start_local_and_end_global(projection):
    torch.manual_seed(0)
    apart = distances((7, 7)).float()
    layers = [
        create("peripheral", dim=8, heads=2, grid=(7, 7), projection=projection).at_depth(index, 5)
        for index in range(5)
    ]
    looks = [layer.position_map() for layer in layers]
    mean = torch.stack([(apart * p).sum((-2, -1)) / p.sum((-2, -1)) for p in looks]).detach()
    assert (mean.diff(dim=0) > 0).all()
    torch.testing.assert_close(looks[-1], looks[-1].mean().expand_as(looks[-1]), atol=0.02, rtol=0)
    assert (looks[0].diagonal(dim1=1, dim2=2) > 0.5).all()
    assert torch.equal(
        create("peripheral", dim=8, heads=2, grid=(7, 7)).at_depth(0, 1).position.norm2.bias, -5 * torch.ones(2)
    )


def test_models_tell_their_layers_how_deep_they_stand():
    def biases(blocks):
        return [block.attention.position.norm2.bias[0].item() for block in blocks]

    vit = ViT("peripheral", image_size=(8, 8), depth=4, dim=8, heads=2)
    assert biases(vit.blocks) == [-5, -2, 1, 4]
    series = TimeSeriesTransformer("peripheral", channels=3, length=5, outputs=2, dim=8, heads=2, depth=3)
    assert biases(series.blocks) == [-5, -0.5, 4]
    foreign = torch.nn.TransformerEncoder(
        torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2, enable_nested_tensor=False
    )
    report = swap(foreign, "peripheral", grid=(3, 3), options={"published": True})
    assert [row.layer.position.norm2.bias[0].item() for row in report.replaced] == [-5, 4]
    assert report.replaced[0].lost[:3] == ("the bias of query", "the bias of key", "the bias of value")


def test_the_three_steps_of_the_roadmap():
    grid = (4, 5)
    by_distance = [
        create("peripheral", dim=8, heads=2, grid=grid, projection=projection).position_map()
        for projection in ("distance", "layers", "peripheral")
    ]
    apart = distances(grid)
    query = 7
    order = apart[query].argsort()
    same = apart[query][order].diff().abs() < 1e-12
    for weights, by_distance_alone in zip(by_distance, (True, True, False), strict=True):
        change = weights[:, query][:, order].diff(dim=1).abs()[:, same]
        assert bool((change < 1e-6).all()) is by_distance_alone


def test_maps():
    layer, x = create("peripheral", dim=8, heads=2, grid=(3, 3)), torch.randn(2, 9, 8)
    content, position, mixed = layer.content_map(x), layer.position_map(), layer.attention_map(x)
    torch.testing.assert_close(mixed, F.normalize(content * position, p=1, dim=-1))
    torch.testing.assert_close(content.sum(-1), torch.ones(2, 2, 9))
    assert ((position > 0) & (position < 1)).all()
    values = layer.split_heads(layer.qkv(x).chunk(3, dim=-1)[2])
    torch.testing.assert_close(layer(x), layer.output(layer.merge_heads(mixed @ values)))


@pytest.mark.parametrize("projection", ["distance", "peripheral"])
def test_half_precision_leaves_the_position_network_alone(projection):
    layer, x = create("peripheral", dim=8, heads=2, grid=(3, 3), projection=projection), torch.randn(2, 9, 8)
    exact = layer.log_position()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer.log_position(), exact)
        layer(x).float().sum().backward()
    assert layer.bfloat16().log_position().dtype == torch.float32


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: create("peripheral", dim=8, heads=2), r"grid must be \(height, width\), got None"),
        (
            lambda: create("peripheral", dim=8, heads=2, grid=(3, 3), projection="layer"),
            r"unknown projection 'layer': did you mean 'layers'",
        ),
        (lambda: PositionNetwork(2, (3, 3), side=2), r"side must be odd, so that a neighbourhood has a centre, got 2"),
        (lambda: PositionNetwork(0, (3, 3)), r"heads must be a whole number >= 1, got 0"),
        (lambda: DistanceProjection(0, (3, 3)), r"heads must be a whole number >= 1, got 0"),
        (lambda: distances((0, 3)), r"grid height must be a whole number >= 1, got 0"),
        (
            lambda: create("peripheral", dim=8, heads=2, grid=(3, 3)).content_map(torch.zeros(1, 8, 8)),
            r"x must have 3 x 3 = 9 tokens for this grid, got 8",
        ),
    ],
)
def test_bad_settings(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_grid_of_one_place_hears_itself():
    layer = create("peripheral", dim=8, heads=2, grid=(1, 1))
    torch.testing.assert_close(layer.attention_map(torch.randn(2, 1, 8)), torch.ones(2, 2, 1, 1))
