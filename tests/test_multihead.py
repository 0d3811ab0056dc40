"""The calling convention of nn.MultiheadAttention, alone and inside torch's own encoder."""

import contextlib

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import FREE, make
from torch import nn

from unroll import MultiheadAttention, create, swap

DIM, HEADS = 12, 3
PADDING = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
MASKS = {"bool": PADDING, "float": torch.zeros(2, 5, dtype=torch.float64).masked_fill(PADDING, float("-inf"))}


def encoder_layer(attention, batch_first=True):
    layer = nn.TransformerEncoderLayer(DIM, 2, 16, dropout=0.0, batch_first=batch_first)
    layer.self_attn = MultiheadAttention(attention, batch_first=batch_first)
    return layer.double()


def by_hand(layers=2):
    """Return an encoder that was built around torch's attention, so that it believes in its fused path."""
    encoder = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(DIM, 2, 16, dropout=0.0, batch_first=True), layers
    ).double()
    assert encoder.use_nested_tensor
    return encoder


def tokens(count=5, batch_first=True):
    x = torch.randn(2, count, DIM, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    return x if batch_first else x.transpose(0, 1)


@pytest.mark.parametrize("batch_first", [True, False], ids=["batch-first", "tokens-first"])
@pytest.mark.parametrize("variant", FREE)
def test_one_number_in_training_evaluation_and_without_gradient(variant, batch_first):
    layer, x = encoder_layer(make(variant), batch_first), tokens(batch_first=batch_first)
    trained = layer.train()(x, src_key_padding_mask=PADDING)
    trained.sum().backward()
    assert all(p.grad is not None for p in layer.parameters())
    for mode in (contextlib.nullcontext(), torch.no_grad(), torch.inference_mode()):
        with mode:
            y = layer.eval()(x, src_key_padding_mask=PADDING)
        torch.testing.assert_close(y, trained, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("batch_first", [True, False], ids=["batch-first", "tokens-first"])
@pytest.mark.parametrize("variant", FREE)
def test_padding_equals_the_shorter_sequence(variant, batch_first, kind):
    layer, x = encoder_layer(make(variant), batch_first).eval(), tokens()
    first = (lambda t: t) if batch_first else (lambda t: t.transpose(0, 1))
    with torch.no_grad():
        padded = first(layer(first(x), src_key_padding_mask=MASKS[kind]))
        short = first(layer(first(x[1:, :3])))
        full = first(layer(first(x[:1])))
    torch.testing.assert_close(padded[1:, :3], short, rtol=0, atol=1e-10)
    torch.testing.assert_close(padded[:1], full, rtol=0, atol=1e-10)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.sampled_from(["softmax", "vars-d"]), st.booleans())
def test_any_padding_is_the_shorter_sequence(lengths, name, as_float):
    torch.manual_seed(0)
    layer = MultiheadAttention(create(name, dim=DIM, heads=HEADS), batch_first=True).double()
    x = torch.randn(len(lengths), 6, DIM, dtype=torch.float64)
    padding = torch.arange(6) >= torch.tensor(lengths)[:, None]
    mask = torch.zeros(padding.shape).masked_fill(padding, float("-inf")) if as_float else padding
    y, _ = layer(x, x, x, key_padding_mask=mask, need_weights=False)
    assert (y[padding] == 0).all()
    for sample, length in enumerate(lengths):
        alone = x[sample, :length]
        torch.testing.assert_close(y[sample, :length], layer(alone, alone, alone)[0], rtol=0, atol=1e-10)


@pytest.mark.parametrize("average", [True, False])
@pytest.mark.parametrize("batch_first", [True, False], ids=["batch-first", "tokens-first"])
@pytest.mark.parametrize("bias", [True, False])
def test_softmax_reproduces_torch(bias, batch_first, average):
    layer = nn.TransformerEncoderLayer(DIM, HEADS, 16, dropout=0.0, batch_first=batch_first, bias=bias).double()
    theirs = layer.self_attn
    swap(layer, "softmax")
    ours, x = layer.self_attn, tokens(batch_first=batch_first)
    for mask in (None, PADDING):
        expected, weights = theirs(x, x, x, key_padding_mask=mask, average_attn_weights=average)
        y, shown = ours(x, x, x, key_padding_mask=mask, average_attn_weights=average)
        assert shown.shape == weights.shape
        real = ~PADDING if mask is not None else torch.ones_like(PADDING)
        first = (lambda t: t) if batch_first else (lambda t: t.transpose(0, 1))
        torch.testing.assert_close(first(y)[real], first(expected)[real], rtol=0, atol=1e-12)
        heard = real if average else real[:, None].expand(-1, HEADS, -1)
        torch.testing.assert_close(shown[heard], weights[heard], rtol=0, atol=1e-12)


def test_unbatched_tokens():
    layer = MultiheadAttention(create("vars-d", dim=DIM, heads=HEADS)).double()
    x = tokens()[1]
    y, weights = layer(x, x, x, key_padding_mask=PADDING[1])
    batch = x.unsqueeze(1)
    expected, per_batch = layer(batch, batch, batch, key_padding_mask=PADDING[1:])
    assert weights.shape == (5, 5)
    assert torch.equal(y, expected.squeeze(1))
    assert torch.equal(weights, per_batch.squeeze(0))
    assert layer(x, x, x, need_weights=False)[1] is None


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("name", ["softmax", "vars-d", "hopfield"])
def test_an_encoder_that_believes_in_its_fused_path(name, kind):
    encoder = by_hand().eval()
    for layer in encoder.layers:
        layer.self_attn = MultiheadAttention(create(name, dim=DIM, heads=2), batch_first=True).double()
    expected = encoder(tokens(), src_key_padding_mask=MASKS[kind])
    with torch.no_grad():
        y = encoder(tokens(), src_key_padding_mask=MASKS[kind])
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-12)
    assert y.shape == (2, 5, DIM)  # a fused first layer would have cut the padding off


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors is in prototype stage")
def test_a_nested_tensor_is_refused_with_the_remedy():
    encoder = by_hand().eval()
    encoder.layers[1].self_attn = MultiheadAttention(create("softmax", dim=DIM, heads=2), batch_first=True).double()
    padding = torch.tensor([[False] * 4 + [True], [False] * 3 + [True] * 2])
    message = r"got a nested one: set nn.TransformerEncoder\(enable_nested_tensor=False\)"
    with torch.no_grad(), pytest.raises(ValueError, match=message):
        encoder(tokens(), src_key_padding_mask=padding)


def test_torch_copies_the_layer_and_says_why_it_does_not_nest():
    layer = encoder_layer(create("vars-d", dim=DIM, heads=2))
    with pytest.warns(UserWarning, match="use_nested_tensor is False because"):
        encoder = nn.TransformerEncoder(layer, 3).double().eval()
    attentions = [layer.self_attn.attention for layer in encoder.layers]
    assert len({id(p) for attention in attentions for p in attention.parameters()}) == 3 * len(
        list(attentions[0].parameters())
    )
    with torch.no_grad():
        assert encoder(tokens(), src_key_padding_mask=PADDING).shape == (2, 5, DIM)


def test_state_dict():
    one, two = (MultiheadAttention(create("vars-d", dim=DIM, heads=HEADS), batch_first=True) for _ in range(2))
    x = tokens().float()
    assert not torch.equal(one(x, x, x)[0], two(x, x, x)[0])
    two.load_state_dict(one.state_dict())
    assert torch.equal(one(x, x, x)[0], two(x, x, x)[0])


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_it_is_one_graph(kind):
    torch.compiler.reset()
    layer, x = encoder_layer(create("vars-d", dim=DIM, heads=HEADS)).eval(), tokens()
    compiled = torch.compile(layer, fullgraph=True, backend="eager")
    y = compiled(x, src_key_padding_mask=MASKS[kind])
    torch.testing.assert_close(y, layer(x, src_key_padding_mask=MASKS[kind]), rtol=0, atol=1e-12)


X = torch.zeros(2, 5, DIM)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"key": X.clone()}, r"query, key and value must be one tensor: this is self-attention, got different ones"),
        ({"value": X.clone()}, r"query, key and value must be one tensor"),
        ({"attn_mask": torch.zeros(5, 5)}, r"attn_mask must be None or False: .*; got a tensor of shape \[5, 5\]"),
        ({"is_causal": True}, r"is_causal must be None or False: a token hears all real tokens.*; got True"),
        ({"key_padding_mask": PADDING[:, :4]}, r"key_padding_mask must have shape \[2, 5\], got \[2, 4\]"),
        ({"key_padding_mask": PADDING.T}, r"key_padding_mask must have shape \[2, 5\], got \[5, 2\]"),
        ({"key_padding_mask": PADDING.long()}, r"key_padding_mask must be boolean, or hold only 0 and -inf"),
        ({"key_padding_mask": -1e9 * PADDING}, r"key_padding_mask must be boolean, or hold only 0 and -inf"),
    ],
)
def test_what_cannot_be_honoured_is_refused(arguments, message):
    layer = MultiheadAttention(create("softmax", dim=DIM, heads=HEADS), batch_first=True)
    with pytest.raises(ValueError, match=message):
        layer(**({"query": X, "key": X, "value": X} | arguments))


@pytest.mark.parametrize("shape", [(2, 5, 11), (5, 11), (1, 2, 5, DIM)])
def test_wrong_shapes(shape):
    layer, x = MultiheadAttention(create("softmax", dim=DIM, heads=HEADS), batch_first=True), torch.zeros(shape)
    with pytest.raises(ValueError, match=r"query must have shape \[batch, tokens, 12\], got"):
        layer(x, x, x)


def test_a_layer_without_masks_says_so():
    layer, x = MultiheadAttention(make("vars-s"), batch_first=True), torch.zeros(1, 9, DIM)
    with pytest.raises(ValueError, match="VarsS takes no mask: its tokens are the places of a fixed grid"):
        layer(x, x, x, key_padding_mask=torch.zeros(1, 9, dtype=torch.bool))


def test_it_wraps_an_attention():
    with pytest.raises(ValueError, match=r"attention must be an Attention such as create\('vars-d', ...\) makes, got"):
        MultiheadAttention("vars-d")
