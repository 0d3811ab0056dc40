"""Transformers of time series: padding is no part of a series, no parameter idles, any attention will do."""

import pytest
import torch

from unroll.attention import Evolution, EvolvingHeads, attentions, names
from unroll.models import (
    AugmentedBlock,
    AugmentedConvolution,
    EADCTransformer,
    SeriesModel,
    TimeSeriesTransformer,
    TokenNorm,
)

SIZES = {"channels": 3, "length": 9, "outputs": 4}
SMALL = SIZES | {"dim": 16, "heads": 2, "depth": 2, "hidden": 24}
MODELS = {
    "plain": lambda **o: TimeSeriesTransformer(**SMALL | o),
    "plain-evolving": lambda **o: TimeSeriesTransformer("evolving", **SMALL | o),
    "plain-vars-d": lambda **o: TimeSeriesTransformer("vars-d", options={"weight": 0.2}, **SMALL | o),
    "ea-dc": lambda **o: EADCTransformer(**SMALL | o),
    "ea-dc-causal": lambda **o: EADCTransformer(**SMALL | {"causal": True} | o),
    "residual-logits": lambda **o: EADCTransformer(**SMALL | {"convolution": False} | o),
    "dilated": lambda **o: EADCTransformer(**SMALL | {"attention": False} | o),
}


def series(*lengths, steps=9):
    """Return series of these lengths with rubbish behind them, and the mask."""
    x = torch.randn(len(lengths), steps, 3, dtype=torch.float64)
    mask = torch.arange(steps) < torch.tensor(lengths)[:, None]
    return x.masked_fill(~mask[..., None], float("nan")), mask


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_learns(name):
    """In evaluation mode: batch norm in training takes out biases in front of it, which are then not dead but idle."""
    model = MODELS[name]().double()
    x, mask = series(9, 7, 8)
    model.train()(x, mask).square().sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    model.eval()(x, mask).square().sum().backward()
    idle = [key for key, p in model.named_parameters() if not p.grad.abs().max() > 1e-9]
    assert not idle


@pytest.mark.parametrize("name", MODELS)
def test_padding_changes_nothing(name):
    model = MODELS[name]().double().eval()
    x, mask = series(6, 4, steps=6)
    together = model(x, mask)
    torch.testing.assert_close(model(x[1:, :4])[0], together[1], atol=1e-10, rtol=0)
    for padding in (1, 3):
        longer = torch.cat([x, torch.full((2, padding, 3), 1e3, dtype=torch.float64)], dim=1)
        flags = torch.cat([mask, torch.zeros(2, padding, dtype=torch.bool)], dim=1)
        torch.testing.assert_close(model(longer, flags), together, atol=1e-10, rtol=0)
        in_front = model(longer.roll(padding, dims=1), flags.roll(padding, dims=1))
        torch.testing.assert_close(in_front, together, atol=1e-10, rtol=0)


@pytest.mark.parametrize("name", MODELS)
def test_padding_counts_in_no_statistic(name):
    """Training mode, in which batch norm looks at the batch."""
    model = MODELS[name](dropout=0.0).double().train()
    x, mask = series(6, 4, steps=6)
    longer = torch.cat([x, torch.full((2, 3, 3), 1e3, dtype=torch.float64)], dim=1)
    flags = torch.cat([mask, torch.zeros(2, 3, dtype=torch.bool)], dim=1)
    torch.testing.assert_close(model(longer, flags), model(x, mask), atol=1e-10, rtol=0)


def test_token_norm_is_batch_norm_of_the_real_tokens():
    norm, x = TokenNorm(5), torch.randn(2, 4, 5)
    mask = torch.tensor([[True] * 4, [True, False, True, False]])
    normed = norm(x, mask)
    torch.testing.assert_close(normed[mask], (x[mask] - x[mask].mean(0)) / (x[mask].var(0, correction=0) + 1e-5).sqrt())
    assert not normed[~mask].any()
    torch.testing.assert_close(TokenNorm(5)(x), TokenNorm(5)(x, torch.ones(2, 4).bool()))


@pytest.mark.parametrize("attention", names())
def test_any_attention_by_name(attention):
    model = TimeSeriesTransformer(attention, **SMALL)
    x = torch.randn(2, 9, 3)
    assert model(x).shape == (2, 4)
    if not attentions[attention].traits.needs_grid:
        assert model(x[:, :5], torch.ones(2, 5, dtype=torch.bool)).shape == (2, 4)


@pytest.mark.parametrize("causal", [True, False])
def test_causal_blocks_hear_no_later_step(causal):
    blocks = EADCTransformer(**SMALL, causal=causal).double().eval().blocks
    x = torch.randn(1, 9, 16, dtype=torch.float64, requires_grad=True)
    y, carry = x, None
    for block in blocks:
        y, carry = block(y, carry)
    future = torch.autograd.grad(y[0, 4].square().sum() + carry.logits[0, :, 4].square().sum(), x)[0][0, 5:]
    assert bool(future.any()) is not causal


def test_dilations_double_and_the_first_block_does_not_evolve():
    blocks = EADCTransformer(**SIZES).blocks
    assert [block.convolutions[0].reach for block in blocks] == [2, 4, 8, 16]
    evolving = [[layer.heads.evolution.convolution is not None for layer in block.convolutions] for block in blocks]
    assert evolving == [[False, False], [True, True], [True, True], [True, True]]


@pytest.mark.parametrize(("share", "released", "unused"), [(0.125, 479_008, 109_872), (0.25, 479_072, 109_872)])
def test_as_many_parameters_as_the_release_uses(share, released, unused):
    """The counts are those that the notes on the reference numbers give for width 64."""
    blocks = EADCTransformer(**SIZES, keys=share, values=share, published=True).blocks
    assert sum(p.numel() for p in blocks.parameters()) == released - unused


def test_the_published_form_is_random_and_takes_no_padding():
    model = EADCTransformer(**SMALL, published=True).eval()
    x = torch.randn(2, 9, 3)
    assert not torch.equal(model(x), model(x))
    with pytest.raises(ValueError, match=r"mask must be None or False: published=True takes padding for time steps"):
        model(x, torch.ones(2, 9, dtype=torch.bool))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: EADCTransformer(**SIZES, dim=0), r"dim must be a whole number >= 1, got 0"),
        (lambda: EADCTransformer(**SIZES | {"length": 0}), r"length must be a whole number >= 1, got 0"),
        (lambda: EADCTransformer(**SIZES, keys=0.2), r"keys must be divisible by count = 8 heads, got 13"),
        (lambda: EADCTransformer(**SIZES, values=2), r"values must lie between 0 and 1, got 2"),
        (lambda: EADCTransformer(**SIZES, values=1), r"values must be below out = 64, got 64"),
        (lambda: EADCTransformer(**SIZES, alpha=2), r"alpha must lie between 0 and 1, got 2"),
        (
            lambda: EADCTransformer(**SIZES, published=True, causal=True),
            r"causal must be None or False: the release is",
        ),
        (lambda: TimeSeriesTransformer("softmx", **SIZES), r"unknown attention 'softmx': did you mean 'softmax'"),
        (lambda: TimeSeriesTransformer(**SIZES, dropout=2), r"dropout must lie between 0 and 1, got 2"),
        (lambda: TimeSeriesTransformer(**SIZES, depth=0), r"depth must be a whole number >= 1, got 0"),
        (lambda: TimeSeriesTransformer(**SIZES | {"outputs": 0}), r"outputs must be a whole number >= 1, got 0"),
        (lambda: AugmentedConvolution(3, 4, dilation=0), r"dilation must be a whole number >= 1, got 0"),
        (
            lambda: AugmentedBlock(AugmentedConvolution(3, 4), AugmentedConvolution(4, 5), hidden=8),
            r"second must take and make first.out = 4, got 4 and 5",
        ),
        (
            lambda: AugmentedConvolution(3, 4, heads=EvolvingHeads(Evolution(2)), keys=2, values=3, count=2),
            r"values must be divisible by count = 2 heads, got 3",
        ),
    ],
)
def test_bad_settings(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("x", "mask", "message"),
    [
        (torch.zeros(2, 9, 4), None, r"x must have shape \[batch, steps, 3\], got \[2, 9, 4\]"),
        (torch.zeros(2, 10, 3), None, r"x must have at most length = 9 steps, got 10"),
        (
            torch.zeros(2, 9, 3),
            torch.ones(2, 9),
            r"mask must be boolean \(True = a real time step\), got torch.float32",
        ),
        (torch.zeros(2, 9, 3), torch.ones(2, 8).bool(), r"mask must have shape \[2, 9\], got \[2, 8\]"),
    ],
)
@pytest.mark.parametrize("name", ["plain", "ea-dc"])
def test_bad_calls(name, x, mask, message):
    model = MODELS[name]()
    assert isinstance(model, SeriesModel)
    with pytest.raises(ValueError, match=message):
        model(x, mask)
