"""Evolving attention: its formula, what must not leak through the convolution, its tables, its published form."""

import foreign
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from unroll.attention import (
    Carry,
    Evolution,
    EvolvingAttention,
    EvolvingHeads,
    RealFirst,
    RelativeGrid,
    RelativeSequence,
    check_attention,
    create,
    merge_untransposed,
    residual_convolution,
)
from unroll.attention.residual_convolution import plain
from unroll.models import Block, ViT, swap

DOUBLE = {"dtype": torch.float64}


def stack(layers=3, **options):
    """Return layers that hand their logits on, far enough from linear that a leak is no rounding error."""
    made = [EvolvingAttention(12, 3, alpha=0.5, beta=0.5, span=4, **options).double() for _ in range(layers)]
    for layer in made:
        layer.qkv.weight.data.mul_(3)
    return made


def run(layers, x, mask=None):
    """Return the tokens and the logits of the last layer."""
    carry = None
    for layer in layers:
        y, carry = layer.attend(x, carry, mask)
        x = x + y
    return x, carry.logits


@pytest.mark.parametrize("activation", ["leaky-relu", "relu"])
@pytest.mark.parametrize("learned", [False, True])
def test_logits_follow_the_formula(activation, learned):
    evolution = Evolution(3, alpha=0.4, beta=0.25, learned=learned, activation=activation).double()
    q, k, previous = (
        torch.randn(2, 3, 5, 4, **DOUBLE),
        torch.randn(2, 3, 5, 4, **DOUBLE),
        torch.randn(2, 3, 5, 5, **DOUBLE),
    )
    _, carry = EvolvingHeads(evolution)(q, k, q, Carry(logits=previous))
    mixed = 0.75 * (q @ k.mT) / 2 + 0.25 * previous
    act = {"leaky-relu": F.leaky_relu, "relu": F.relu}[activation]
    expected = 0.4 * act(evolution.convolution(F.pad(mixed, (1, 1, 1, 1)))) + 0.6 * mixed
    torch.testing.assert_close(carry.logits, expected, atol=1e-6 if learned else 1e-12, rtol=0)


def test_without_carry_and_convolution_it_is_softmax_attention():
    """What the release does in the first layer of a chain."""
    ours = create("evolving", dim=12, heads=3, beta=0, convolution=False, relative=False)
    theirs = create("softmax", dim=12, heads=3)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 7, 12)
    torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.attention_map(x), theirs.attention_map(x))


def test_the_carry_is_the_logits_of_the_map():
    first, second = stack(2)
    x = torch.randn(2, 7, 12, **DOUBLE)
    y, carry = first.attend(x, Carry(code=x))
    assert carry.code is x
    torch.testing.assert_close(carry.logits.softmax(-1), first.attention_map(x))
    assert not torch.allclose(second.attend(y, carry)[0], second(y))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("slope", [0.0, 0.01])
def test_the_hand_written_backward_pass(causal, slope):
    shapes = ((2, 3, 5, 5), (3, 3, 3, 3), (3,), ())
    inputs = [torch.randn(shape, **DOUBLE, requires_grad=True) for shape in shapes]
    ours, theirs = (call(*inputs, slope=slope, causal=causal) for call in (residual_convolution, plain))
    torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=0)
    upstream = torch.randn_like(ours)
    for one, other in zip(
        torch.autograd.grad(ours, inputs, upstream), torch.autograd.grad(theirs, inputs, upstream), strict=True
    ):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=0)
    assert torch.autograd.gradcheck(
        lambda *tensors: residual_convolution(*tensors, slope=slope, causal=causal), inputs, fast_mode=True
    )


@pytest.mark.parametrize(("grid", "masked"), [(None, False), (None, True), ((2, 4), False)])
def test_no_token_hears_its_future(grid, masked):
    """By gradient, through three layers, in the tokens and in the logits; the layers that are not causal do hear it."""
    mask = torch.tensor([[True, True, False, True, True, True, False, True]]) if masked else None

    def reach(layers):
        """Return how much token i, or row i of the logits, depends on token j: [N, N] twice."""
        x = torch.randn(1, 8, 12, **DOUBLE, requires_grad=True)
        y, logits = run(layers, x, mask)
        rows = [torch.autograd.grad(y[0, i].sum(), x, retain_graph=True)[0][0].abs().sum(-1) for i in range(8)]
        # Under a mask the logits stand in another order: that of the real tokens.
        last = [torch.autograd.grad(logits[0, :, i].sum(), x, retain_graph=True)[0][0].abs().sum(-1) for i in range(8)]
        order = torch.arange(8) if mask is None else RealFirst.of(mask).order[0]
        return torch.stack(rows), torch.stack(last)[:, order]

    for future in (part.triu(1) for part in reach(stack(grid=grid, causal=True))):
        assert not future.any()
    for heard in (part.triu(1) for part in reach(stack(grid=grid))):
        assert heard.any()


def test_a_changed_future_changes_nothing():
    layers, x = stack(causal=True), torch.randn(2, 9, 12, **DOUBLE)
    changed = x.clone()
    changed[:, 5:] += 10 * torch.randn(2, 4, 12, **DOUBLE)
    (before, map_before), (after, map_after) = run(layers, x), run(layers, changed)
    torch.testing.assert_close(after[:, :5], before[:, :5], atol=0, rtol=0)
    torch.testing.assert_close(map_after[:, :, :5], map_before[:, :, :5], atol=0, rtol=0)
    assert not map_before.triu(1).any()
    assert not torch.allclose(after[:, 5:], before[:, 5:])
    # Every token up to itself is heard, the convolution's window included.
    short, _ = run(layers, x[:, :5])
    torch.testing.assert_close(before[:, :5], short, atol=1e-12, rtol=0)


@pytest.mark.parametrize("causal", [False, True])
def test_padding_of_any_length_changes_nothing_in_a_chain(causal):
    layers = stack(causal=causal)
    x = torch.randn(2, 6, 12, **DOUBLE)
    mask = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    expected, logits = run(layers, x, mask)
    alone, _ = run(layers, x[1:, :4])
    torch.testing.assert_close(expected[1:, :4], alone, atol=1e-12, rtol=0)
    for padding in (1, 2, 3, 17):
        padded = torch.cat([x, torch.full((2, padding, 12), 1e3, **DOUBLE)], dim=1)
        longer = torch.cat([mask, torch.zeros(2, padding, dtype=torch.bool)], dim=1)
        y, longer_logits = run(layers, padded, longer)
        torch.testing.assert_close(y[:, :6][mask], expected[mask], atol=1e-12, rtol=0)
        torch.testing.assert_close(longer_logits[:, :, :6, :6], logits, atol=1e-12, rtol=0)
        assert not longer_logits[:, :, 6:].any()
        assert not longer_logits[..., 6:].any()


def test_real_tokens_come_first_and_go_back():
    mask = torch.tensor([[False, True, False, True], [True, True, True, False]])
    x = torch.arange(8.0).reshape(2, 4, 1)
    real = RealFirst.of(mask)
    assert real.sort(x)[..., 0].tolist() == [[1, 3, 0, 2], [4, 5, 6, 7]]
    assert torch.equal(real.restore(real.sort(x)), x)
    pairs = x @ x.mT
    ordered = (real.sort(x) @ real.sort(x).mT)[:, None]
    assert torch.equal(real.restore_map(ordered)[:, 0], pairs)


@pytest.mark.parametrize("samples", [2, 8])  # scores that are looked up, and a row for each pair
@pytest.mark.parametrize("tokens", [1, 2, 4, 9])
def test_relative_logits_of_a_sequence(tokens, samples):
    relative = RelativeSequence(4, span=3)
    q, k = torch.randn(samples, 3, tokens, 4), torch.randn(samples, 3, tokens, 4)
    expected = q @ k.mT
    for i in range(tokens):
        for j in range(tokens):
            expected[:, :, i, j] += q[:, :, i] @ relative.table[min(max(j - i, -3), 3) + 3]
    torch.testing.assert_close(relative(q, k), expected)


@pytest.mark.parametrize("grid", [(1, 1), (2, 3), (4, 1)])
def test_relative_logits_of_a_grid(grid):
    height, width = grid
    relative = RelativeGrid(4, grid)
    q, k = torch.randn(2, 3, height * width, 4), torch.randn(2, 3, height * width, 4)
    expected = torch.zeros(2, 3, height * width, height * width)
    for i in range(height * width):
        for j in range(height * width):
            vertical = relative.vertical[j // width - i // width + height - 1]
            expected[:, :, i, j] = q[:, :, i] @ (vertical + relative.horizontal[j % width - i % width + width - 1])
    torch.testing.assert_close(relative.bias(q), expected)
    torch.testing.assert_close(relative(q, k), expected + q @ k.mT)


def test_the_published_form_breaks_the_contract_where_it_is_said_to():
    report = check_attention(create("evolving", dim=12, heads=3, published=True), raises=False)
    assert {"determinism", "batch independence", "forward is attend"} <= set(report.failed)
    heard = torch.arange(12.0).reshape(1, 1, 4, 3)  # four tokens of three channels
    assert merge_untransposed(heard)[0, :, 0].tolist() == [0, 1, 2, 3]  # channel 0 over time holds tokens 0 and 1
    single = torch.randn(2, 3, 5, 1)
    assert torch.equal(merge_untransposed(single), single[..., 0].mT)  # nothing to mix in heads of width 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 1.5}, r"alpha must lie between 0 and 1, got 1.5"),
        ({"beta": -0.1}, r"beta must lie between 0 and 1, got -0.1"),
        ({"beta": "0.5"}, r"beta must lie between 0 and 1, got '0.5'"),
        ({"alpha": 1, "learned": True}, r"alpha must lie strictly between 0 and 1 to be learned, got 1.0"),
        ({"beta": 0, "learned": True}, r"beta must lie strictly between 0 and 1 to be learned, got 0.0"),
        ({"activation": "gelu"}, r"unknown activation 'gelu': .*known: leaky-relu, relu"),
        ({"span": 0}, r"span must be a whole number >= 1, got 0"),
        ({"grid": (3,)}, r"grid must be \(height, width\), got \(3,\)"),
        ({"published": True, "causal": True}, r"causal must be None or False: the release is not causal"),
        ({"published": True, "grid": (3, 3)}, r"grid must be None or False: published=True is the released code for"),
    ],
)
def test_bad_settings(options, message):
    with pytest.raises(ValueError, match=message):
        EvolvingAttention(12, 3, **options)


def test_bad_calls():
    layer = create("evolving", dim=12, heads=3)
    with pytest.raises(ValueError, match=r"carry.logits must have shape \[2, 3, 5, 5\], got \[2, 3, 4, 4\]"):
        layer.attend(torch.zeros(2, 5, 12), Carry(logits=torch.zeros(2, 3, 4, 4)))
    with pytest.raises(ValueError, match=r"EvolvingAttention takes no mask: its tokens are the places of a fixed grid"):
        create("evolving", dim=12, heads=3, grid=(1, 5))(torch.zeros(2, 5, 12), torch.ones(2, 5).bool())
    with pytest.raises(ValueError, match=r"EvolvingAttention takes no mask: its traits declare no masks"):
        create("evolving", dim=12, heads=3, published=True)(torch.zeros(2, 5, 12), torch.ones(2, 5).bool())
    with pytest.raises(ValueError, match=r"grid height must be a whole number >= 1, got 0"):
        RelativeGrid(4, (0, 2))


def test_every_parameter_of_a_vit_learns():
    model = ViT("evolving", image_size=(8, 8), dim=16, heads=2, depth=3, options={"learned": True})
    model(torch.rand(2, 1, 8, 8)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    assert model.blocks[0].attention.grid == (2, 2)


def test_logits_travel_through_blocks():
    blocks = [Block(create("evolving", dim=12, heads=3)) for _ in range(2)]
    x, carry = blocks[0](torch.randn(2, 5, 12))
    upstream = carry.logits
    upstream.retain_grad()
    blocks[1](x.detach(), carry)[0].square().sum().backward()
    assert upstream.grad.abs().sum() > 0


def test_swap_with_and_without_a_grid():
    encoder = nn.TransformerEncoderLayer(12, 3, dropout=0.0, batch_first=True)
    x = torch.randn(2, 6, 12)
    report = swap(encoder, "evolving", grid=(2, 3))
    assert report.replaced[0].layer.grid == (2, 3)
    assert report.replaced[0].kept == ("query", "key", "value", "output")
    assert encoder(x).shape == x.shape
    report.undo()
    swap(encoder, "evolving")
    mask = torch.tensor([[False] * 6, [False] * 4 + [True] * 2])
    encoder.eval()
    torch.testing.assert_close(encoder(x, src_key_padding_mask=mask)[1, :4], encoder(x[1:, :4])[0])


def test_swap_beside_a_class_token():
    model = foreign.network("vit")
    with pytest.raises(ValueError, match=r"got 'evolving'; leave out grid, and it takes the tokens for a sequence"):
        swap(model, "evolving", grid=foreign.GRID)
    assert len(swap(model, "evolving").replaced) == 2
    assert model(foreign.IMAGE).isfinite().all()


def test_settings_can_be_written_down():
    layer = create("evolving", dim=12, heads=3, grid=(2, 3), learned=True)
    assert layer.to_dict() == {"name": "evolving", "dim": 12, "heads": 3, "learned": True, "grid": (2, 3)}
    assert "causal=False" in repr(layer)
    assert "alpha" not in layer.evolving.evolution.extra_repr()
    assert "alpha=0.3, beta=0.7" in repr(create("evolving", dim=12, heads=3))
