"""What swap refuses, and what the layers that it puts in place refuse at the call."""

import layouts
import pytest
import torch
from foreign import IMAGE, Patches, hugging_face, library, x_transformers
from torch import nn

from unroll import ViT, swap


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"attention": "vars"}, r"unknown attention 'vars': did you mean 'vars-"),
        ({"attention": "vars-s"}, r"grid must be \(height, width\), got None"),
        ({"options": {"weigth": 1}}, r"unknown option of vars-d 'weigth': did you mean 'weight'"),
        ({"where": "encoder.layers.3.self_attn"}, r"unknown self-attention 'encoder.layers.3.self_attn': did you mean"),
        ({"where": [3]}, r"where must hold names, or positions from -3 to 2, got 3"),
        ({"where": [True]}, r"where must hold names, or positions from -3 to 2, got True"),
        ({"where": []}, r"where must choose at least one of encoder.layers.0.self_attn, .*, got \[\]"),
        ({"where": lambda name: False}, r"where must choose at least one of encoder.layers.0.self_attn"),
        ({"model": "vit"}, r"model must be a torch.nn.Module, got str"),
        ({"model": nn.Linear(2, 2)}, r"model must hold a self-attention to replace, Linear has none of: nn.Multihead"),
        ({"model": nn.MultiheadAttention(4, 2)}, r"model must hold a self-attention to replace"),
    ],
)
def test_bad_settings(arguments, message):
    with pytest.raises(ValueError, match=message):
        swap(**({"model": Patches(), "attention": "vars-d"} | arguments))


def test_a_second_swap_says_what_to_do():
    model = Patches()
    swap(model, "vars-d")
    with pytest.raises(ValueError, match="An earlier swap is undone first"):
        swap(model, "hopfield")


def test_a_failure_half_way_changes_nothing():
    model = nn.Sequential(layouts.timm(), layouts.timm(dim_out=8))
    before = dict(model.named_modules())
    with pytest.raises(ValueError, match=r"1.0.attn must return tokens as wide as it takes, 16, got 8"):
        swap(model, "vars-d")
    assert dict(model.named_modules()) == before


@pytest.mark.parametrize(
    ("option", "found"),
    [
        ("rotary_pos_emb", "rotary_pos_emb"),
        ("alibi_pos_bias", "rel_pos"),
        ("rel_pos_bias", "rel_pos"),
        ("residual_attn", "residual_attn"),
        ("add_value_residual", "add_value_residual"),
    ],
)
def test_x_transformers_with_something_inside_its_attention(option, found):
    model = x_transformers(**{option: True})
    with pytest.raises(
        ValueError, match=rf"the layers around attn_layers.layers.0.1 must use none of .*, got {found}$"
    ):
        swap(model, "vars-d")


def test_cross_attention_and_decoders_are_left_alone():
    module = library("x_transformers")
    encoder = module.Encoder(dim=16, depth=1, heads=2, attn_dim_head=8, cross_attend=True, verbose=False)
    assert [row.name for row in swap(encoder, "vars-d").replaced] == ["layers.0.1"]
    x = torch.randn(1, 4, 16)
    assert encoder(x, context=torch.randn(1, 3, 16)).shape == x.shape
    with pytest.raises(ValueError, match=r"got causal"):
        swap(module.Decoder(dim=16, depth=1, heads=2, verbose=False), "vars-d")
    with pytest.raises(ValueError, match="has none of"):
        swap(nn.TransformerDecoder(nn.TransformerDecoderLayer(16, 2), 1), "vars-d")


def test_what_a_network_asks_at_the_call_and_gets_refused():
    vit = hugging_face("ViT").network
    swap(vit, "vars-d")
    images = IMAGE.float()
    with pytest.raises(ValueError, match=r"output_attentions must be None or False: .*; got True"):
        vit(images, output_attentions=True)
    with pytest.raises(ValueError, match=r"attention_mask must be None or False: this layer hears every token"):
        vit.vit.layers[0].attention(torch.zeros(1, 10, 16), torch.zeros(1, 1, 10, 10))
    assert len(vit(images, output_hidden_states=True).hidden_states) == 3
    timm_layer = swap(layouts.timm(), "vars-d").replaced[0].host
    for refused in ({"attn_mask": torch.zeros(9, 9)}, {"is_causal": True}):
        with pytest.raises(ValueError, match=f"{next(iter(refused))} must be None or False"):
            timm_layer(layouts.tokens(), **refused)
    x_layer = swap(x_transformers(), "vars-d").replaced[0].host
    for refused in ({"context": layouts.tokens()}, {"attn_bias": torch.zeros(9, 9)}, {"mem": layouts.tokens()}):
        with pytest.raises(ValueError, match=f"{next(iter(refused))} must be None or False"):
            x_layer(layouts.tokens(), **refused)
    assert x_layer(layouts.tokens()).shape == (2, 9, 16)


def test_an_older_layout_is_refused():
    kind = type("ViTAttention", (nn.Module,), {"__module__": "transformers.models.vit.modeling_vit"})
    with pytest.raises(ValueError, match=r"0 must hold q_proj, .* as in transformers 5.24, got none of q_proj"):
        swap(nn.Sequential(kind()), "vars-d")


def test_our_own_networks_take_their_attention_by_name_instead():
    with pytest.raises(ValueError, match="ViT has none of"):
        swap(ViT("softmax", image_size=(8, 8), depth=1), "vars-d")
