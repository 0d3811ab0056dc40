"""Attentions that know where their tokens stand: what they are without that, and what a plain loop says they are."""

import cmath
import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unroll.attention import attentions, create

GRID = (2, 4)  # not square, so that swapping the axes shows
PLACES = list(itertools.product(range(GRID[0]), range(GRID[1])))
NAMES = ("relative-position-bias", "gated-positional", "rotary")
BIAS, GATED, ROTARY = NAMES


def layer_and_tokens(name, dim=24, heads=3, **options):
    """Return a layer whose every weight is random, and tokens of the grid, in float64."""
    torch.manual_seed(0)
    layer = create(name, dim=dim, heads=heads, grid=GRID, **options).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(0.5 * torch.randn_like(parameter))
    return layer, torch.randn(2, len(PLACES), dim, dtype=torch.float64)


def as_softmax(layer):
    """Return softmax attention with the projections of a layer."""
    softmax = create("softmax", dim=layer.dim, heads=layer.heads).double()
    softmax.qkv, softmax.output = layer.qkv, layer.output
    return softmax


def heads_of(layer, x):
    """Return queries, keys and values before anything is done to them."""
    return [layer.split_heads(part) for part in layer.qkv(x).chunk(3, dim=-1)]


def softmax_of(row):
    powers = [math.exp(number - max(row)) for number in row]
    return [power / sum(powers) for power in powers]


def silence(name, layer, monkeypatch):
    """Take from a layer what it knows of places."""
    with torch.no_grad():
        if name == BIAS:
            layer.table.zero_()
        elif name == GATED:
            layer.gate.fill_(-40)
        else:
            angles = layer.angles
            monkeypatch.setattr(layer, "angles", lambda like: 0 * angles(like))


@pytest.mark.parametrize("name", NAMES)
def test_without_positions_they_are_softmax_attention(name, monkeypatch):
    layer, x = layer_and_tokens(name)
    softmax = as_softmax(layer)
    assert (layer(x) - softmax(x)).abs().max() > 1e-3
    silence(name, layer, monkeypatch)
    torch.testing.assert_close(layer(x), softmax(x), atol=1e-12, rtol=0)
    torch.testing.assert_close(layer.attention_map(x), softmax.attention_map(x), atol=1e-12, rtol=0)


def hold_against(layer, x, row):
    """Hold a layer's map against one that is made row by row, from plain numbers."""
    q, k, _ = heads_of(layer, x)
    logits = (q @ k.mT / math.sqrt(layer.head_dim)).tolist()
    expected = [
        [[row(logits[sample][head][query], sample, head, query) for query in range(len(PLACES))] for head in range(3)]
        for sample in range(2)
    ]
    expected = torch.tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(layer.attention_map(x), expected, atol=1e-12, rtol=0)


def offsets_from(query):
    """Return how far each key stands down and right of a query."""
    return [(v - PLACES[query][0], u - PLACES[query][1]) for v, u in PLACES]


def test_relative_position_bias_against_a_loop():
    layer, x = layer_and_tokens(BIAS)
    height, width = GRID

    def row(content, sample, head, query):
        places = [(v + height - 1) * (2 * width - 1) + u + width - 1 for v, u in offsets_from(query)]
        biases = [layer.table[head, place].item() for place in places]
        return softmax_of([logit + bias for logit, bias in zip(content, biases, strict=True)])

    hold_against(layer, x, row)


def test_gated_positional_against_a_loop():
    layer, x = layer_and_tokens(GATED)

    def row(content, sample, head, query):
        right, down, square = layer.position[head].tolist()
        gate = 1 / (1 + math.exp(-layer.gate[head].item()))
        position = softmax_of([right * u + down * v + square * (u**2 + v**2) for v, u in offsets_from(query)])
        return [(1 - gate) * seen + gate * place for seen, place in zip(softmax_of(content), position, strict=True)]

    hold_against(layer, x, row)


def test_rotary_against_complex_numbers():
    """Pairs of channels are complex numbers: turning is a product with a number of modulus one."""
    layer, x = layer_and_tokens(ROTARY)
    q, k, _ = heads_of(layer, x)
    quarter = layer.head_dim // 4

    def turned(vector, place):
        numbers = [complex(*vector[2 * pair : 2 * pair + 2].tolist()) for pair in range(2 * quarter)]
        axes = [(coordinate, pair) for coordinate in place for pair in range(quarter)]
        angles = [coordinate * 100 ** (-4 * pair / layer.head_dim) for coordinate, pair in axes]
        return [number * cmath.exp(1j * angle) for number, angle in zip(numbers, angles, strict=True)]

    def row(_, sample, head, query):
        mine = turned(q[sample, head, query], PLACES[query])
        others = [turned(k[sample, head, key], place) for key, place in enumerate(PLACES)]
        alike = [sum((a * b.conjugate()).real for a, b in zip(mine, other, strict=True)) for other in others]
        return softmax_of([number / math.sqrt(layer.head_dim) for number in alike])

    hold_against(layer, x, row)


def odds(layer, tokens):
    """Return log-odds of the map between keys, which no constant of a row changes."""
    logits = layer.attention_map(tokens).log()[0]
    return logits[:, :, :, None] - logits[:, :, None, :]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_only_the_offset_from_query_to_key_counts(name, seed):
    """Of tokens that are all alike, a query's neighbour to the right or below is preferred alike wherever it stands."""
    layer, _ = layer_and_tokens(name)
    if name == GATED:  # the mixture has no logits: the map of positions has
        torch.nn.init.constant_(layer.gate, 40)
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(1, 1, layer.dim, dtype=torch.float64, generator=generator).expand(1, len(PLACES), -1)
    preferred = odds(layer, tokens)
    height, width = GRID
    for query, other in itertools.product(range(len(PLACES)), repeat=2):
        if query % width < width - 1 and other % width < width - 1:  # both have a neighbour to the right
            torch.testing.assert_close(
                preferred[:, query, query, query + 1], preferred[:, other, other, other + 1], atol=1e-9, rtol=0
            )
        if query // width < height - 1 and other // width < height - 1:
            torch.testing.assert_close(
                preferred[:, query, query, query + width], preferred[:, other, other, other + width], atol=1e-9, rtol=0
            )
    assert (preferred[:, 0, 0, 1] - preferred[:, 1, 1, 0]).abs().max() > 1e-3  # right and left are told apart


@pytest.mark.parametrize("name", NAMES)
def test_gradients_of_every_weight_that_tells_of_places(name):
    """All of them at once, not along a few directions as in the contract's rule."""
    layer, x = layer_and_tokens(name, dim=8, heads=2)
    weights = {key: value for key, value in layer.named_parameters() if key in ("table", "position", "gate")}
    assert (name == ROTARY) is not bool(weights)

    def call(tokens, *given):
        return torch.func.functional_call(layer, dict(zip(weights, given, strict=True)), tokens)

    assert torch.autograd.gradcheck(call, (x[:1].requires_grad_(), *weights.values()))


@pytest.mark.parametrize("heads", [1, 2, 3, 4, 5, 9, 16])
def test_heads_start_as_a_convolution(heads):
    """Each looks at a place of its own, none farther from the query than a place that no head looks at."""
    layer = create(GATED, dim=4 * heads, heads=heads, grid=(9, 9), locality=20.0).double()
    right, down, square = layer.position.detach().T
    centres = torch.stack([right, down], dim=1) / (-2 * square[:, None])
    side = math.ceil(heads**0.5)
    kernel = torch.tensor(list(itertools.product(range(side), repeat=2))).double() - (side - 1) / 2
    places = {tuple(place) for place in kernel.tolist()}
    taken = {tuple(centre) for centre in centres.tolist()}
    assert len(taken) == heads
    assert taken <= places
    reach = max(math.hypot(*place) for place in taken)
    assert all(math.hypot(*place) >= reach - 1e-9 for place in places - taken)
    middle = layer.position_map()[:, 40].view(heads, 9, 9)
    for head, (x, y) in enumerate(centres.tolist()):
        seen = {(math.floor(4 + y), math.floor(4 + x)), (math.ceil(4 + y), math.ceil(4 + x))}
        assert all(middle[head, row, column] >= 0.2 for row, column in seen)
    torch.testing.assert_close(layer.qkv.weight[-layer.dim :], torch.eye(layer.dim, dtype=torch.float64))
    assert not layer.qkv.bias[-layer.dim :].any()


def test_an_open_gate_is_a_convolution_of_the_values():
    layer = create(GATED, dim=36, heads=9, grid=(5, 5), locality=30.0).double()
    with torch.no_grad():
        layer.gate.fill_(40)
        layer.output.weight.copy_(torch.eye(36))
        layer.output.bias.zero_()
    x = torch.randn(1, 25, 36, dtype=torch.float64)
    image = x.mT.unflatten(2, (5, 5))
    expected = torch.stack(
        [image[0, 4 * head : 4 * head + 4, 1 + head // 3, 1 + head % 3] for head in range(9)]  # around place (2, 2)
    )
    torch.testing.assert_close(layer(x)[0, 12].view(9, 4), expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (ROTARY, {"dim": 12, "heads": 2}, r"dim must give heads whose width is divisible by 4, .* dim / heads = 6"),
        (ROTARY, {"base": 0}, r"base must be a finite number > 0, got 0"),
        (GATED, {"locality": -1}, r"locality must be a finite number > 0, got -1"),
        (BIAS, {"grid": None}, r"grid must be \(height, width\), got None"),
        (BIAS, {"gird": (2, 2)}, r"unknown option of relative-position-bias 'gird': did you mean 'grid'"),
    ],
)
def test_bad_settings(name, change, message):
    with pytest.raises(ValueError, match=message):
        create(name, **{"dim": 24, "heads": 3, "grid": GRID} | change)


@pytest.mark.parametrize("name", NAMES)
def test_masks_and_other_grids_are_refused(name):
    layer, x = layer_and_tokens(name)
    who = attentions[name].__name__
    for call in (layer, layer.attention_map):
        with pytest.raises(ValueError, match=rf"{who} takes no mask: its tokens are the places of a fixed grid"):
            call(x, torch.ones(2, len(PLACES), dtype=torch.bool))
        with pytest.raises(ValueError, match=r"x must have 2 x 4 = 8 tokens for this grid, got 7"):
            call(x[:, 1:])


@pytest.mark.parametrize("name", NAMES)
def test_autocast(name):
    layer, x = create(name, dim=24, heads=3, grid=GRID), torch.randn(2, len(PLACES), 24)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = layer(x)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), layer(x), atol=0.05, rtol=0.05)
