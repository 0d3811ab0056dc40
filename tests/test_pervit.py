"""The peripheral vision transformer: its sizes, any image, any attention, and its place in a study."""

import pytest
import torch

from unroll.attention import create
from unroll.models import Block, ConditionalPositions, ConvolutionalEmbedding, PerViT, Stages
from unroll.study import Entry, Network, Size, attention_layers, build, load, load_network, loudness

LITTLE = Stages((6, 8), (8, 12), (1, 2), heads=2, mlp_ratio=2.0)


@pytest.mark.parametrize(("size", "count"), [("tiny", 7_591_000), ("small", 21_317_672), ("medium", 43_723_936)])
def test_as_many_parameters_as_released(size, count):
    with torch.device("meta"):
        model = PerViT(size=size, published=True)
    assert model.grid == (14, 14)
    assert sum(p.numel() for p in model.parameters()) == count


def test_what_is_released_has_dead_biases_and_one_projection_of_the_distance():
    model = PerViT(size=LITTLE, image_size=(8, 8), channels=1, classes=3, published=True)
    assert len({id(block.attention.position.distance) for block in model.blocks}) == 1
    model.eval()(torch.rand(2, 1, 8, 8)).square().sum().backward()
    dead = {name.split(".", 3)[-1] for name, p in model.named_parameters() if p.grad is None}
    assert dead == {"position.distance.bias", "position.first.bias", "position.second.bias"}


@pytest.mark.parametrize("image_size", [(8, 8), (28, 28), (32, 32), (9, 23)])
@pytest.mark.parametrize("attention", ["peripheral", "softmax"])
def test_every_parameter_learns_on_images_of_any_size(attention, image_size):
    torch.manual_seed(0)
    model = PerViT(attention, size=LITTLE, image_size=image_size, channels=3, classes=4, mean=0.4, std=0.3)
    assert model.grid == tuple(-(-side // 4) for side in image_size)
    model(torch.rand(3, 3, *image_size)).square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() and p.grad.any() for p in model.parameters())


def test_mini_is_for_small_images():
    model = PerViT(size="mini", image_size=(28, 28), channels=1, classes=10)
    assert model.grid == (7, 7)
    assert sum(p.numel() for p in model.parameters()) < 300_000


def test_widths_change_at_the_end_of_a_stage():
    model = PerViT(size=LITTLE, image_size=(8, 8), channels=1, classes=3)
    images = torch.rand(2, 1, 8, 8)
    assert [x.shape[-1] for x in model.attention_inputs(images)] == [8, 12, 12]
    assert [block.attention.dim for block in model.blocks] == [8, 12, 12]


def test_the_encoding_of_positions_sees_rows_and_columns():
    positions, x = ConditionalPositions(4, (2, 3)), torch.randn(1, 6, 4)
    image = torch.nn.functional.conv2d(x.mT.view(1, 4, 2, 3), positions.weight, positions.bias, padding=1, groups=4)
    torch.testing.assert_close(positions(x), image.flatten(2).mT)


def test_a_block_of_another_width():
    block, x = Block(create("softmax", dim=8, heads=2), out=12), torch.randn(2, 5, 8)
    middle = x + block.attention(block.norm1(x))
    torch.testing.assert_close(block(x)[0], block.residual(middle) + block.mlp(block.norm2(middle)))
    assert not list(Block(create("softmax", dim=8, heads=2), out=8).residual.parameters())


def test_a_study_can_take_it(tmp_path):
    entry, data, size = Entry("peripheral", label="small", model="pervit"), load("digits"), Size(8, 2, 2)
    assert Entry.from_dict(entry.to_dict()) == entry
    assert "model" not in Entry("softmax").to_dict()
    model = build(entry, data, size).eval()
    assert isinstance(model, PerViT)
    assert model.grid == (4, 4)
    assert len(loudness(model, data.test.first(4).images)) == 2
    assert all(layer.attention_map(x).shape[-1] == 16 for layer, x in attention_layers(model, data.test, 2))
    Network(model, entry, "digits", size, 0).save(tmp_path / "network.safetensors")
    again, images = load_network(tmp_path / "network.safetensors").model, data.test.first(4).images
    assert torch.equal(again(images), model(images))


def test_weights_that_layers_share_can_be_saved(tmp_path):
    entry, size = Entry("peripheral", {"published": True}, model="vit"), Size(8, 2, 2)
    model = build(entry, load("digits"), size).eval()
    model.blocks[1].attention.position.distance = model.blocks[0].attention.position.distance
    Network(model, entry, "digits", size, 0).save(tmp_path / "network.safetensors")
    images = load("digits").test.first(4).images
    assert torch.equal(load_network(tmp_path / "network.safetensors").model(images), model(images))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: PerViT(size="large"), r"unknown size 'large': known: medium, mini, small, tiny"),
        (
            lambda: PerViT("softmax", published=True),
            r"attention must be 'peripheral' with published=True, got 's",
        ),
        (lambda: PerViT(classes=0), r"classes must be a whole number >= 1, got 0"),
        (lambda: Stages((8,), (8,), (), heads=2), r"depths must be one for each of widths = \(8,\), got \(\)"),
        (lambda: Stages((8,), (8,), (0,), heads=2), r"depths must be a whole number >= 1, got 0"),
        (
            lambda: ConvolutionalEmbedding(1, (), 8),
            r"widths must name the channels of at least one convolution",
        ),
        (lambda: ConvolutionalEmbedding(1, (0,), 8), r"widths must be a whole number >= 1, got 0"),
        (lambda: Entry("softmax", model="perfit"), r"unknown model 'perfit': did you mean 'pervit'"),
    ],
)
def test_bad_settings(call, message):
    with pytest.raises(ValueError, match=message):
        call()
