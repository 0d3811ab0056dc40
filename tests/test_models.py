"""The vision transformer and its parts."""

import pytest
import torch

from unroll.attention import Carry, SoftmaxAttention, names
from unroll.models import Block, Mlp, ViT
from unroll.study import corrupt
from unroll.study.data import Split


@pytest.mark.parametrize("attention", names())
def test_vit_learns_something_from_every_attention(attention):
    model = ViT(attention, image_size=(8, 8), patch=2, dim=16, depth=2, heads=2, mean=0.3, std=0.5)
    images, labels = torch.rand(6, 1, 8, 8), torch.arange(6)
    loss = torch.nn.functional.cross_entropy(model(images), labels)
    loss.backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


def test_vit_gradients():
    model = ViT("vars-d", image_size=(4, 4), patch=2, dim=4, depth=1, heads=1, classes=3).double()
    assert torch.autograd.gradcheck(model, torch.rand(2, 1, 4, 4, dtype=torch.float64, requires_grad=True))


def test_normalisation_is_part_of_the_model():
    torch.manual_seed(0)
    plain = ViT("softmax", image_size=(8, 8), patch=4, dim=16, depth=1, heads=2)
    torch.manual_seed(0)
    normalising = ViT("softmax", image_size=(8, 8), patch=4, dim=16, depth=1, heads=2, mean=0.2, std=0.5)
    images = torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(normalising(images), plain((images - 0.2) / 0.5))


def test_without_positions_the_order_of_the_patches_is_lost():
    def turned(images):
        return images.unflatten(-1, (-1, 4)).flip(-2).flatten(-2)  # its patches from right to left

    sizes = {"image_size": (4, 16), "patch": 4, "dim": 16, "depth": 2, "heads": 2}
    images = torch.rand(2, 1, 4, 16)
    blind, aware = (ViT("softmax", **sizes, positions=positions) for positions in (False, True))
    torch.testing.assert_close(blind(turned(images)), blind(images))
    assert (aware(turned(images)) - aware(images)).abs().max() > 1e-4
    assert set(aware.state_dict()) - set(blind.state_dict()) == {"positions"}
    placed = ViT("rotary", **sizes, positions=False)
    assert (placed(turned(images)) - placed(images)).abs().max() > 1e-4


def test_without_positions_a_shift_by_a_whole_patch_is_not_seen():
    """As long as nothing leaves the image; a shift by less cuts other patches."""
    images = torch.nn.functional.pad(torch.rand(2, 1, 8, 8), (6, 6, 6, 6))
    data = Split(images, torch.zeros(2, dtype=torch.long), 4)
    blind, aware = (
        ViT("softmax", image_size=(20, 20), dim=16, depth=2, heads=2, positions=positions)
        for positions in (False, True)
    )
    whole, part = (corrupt(data, "shift", pixels).images for pixels in (4, 3))
    torch.testing.assert_close(blind(whole), blind(images).repeat(8, 1))
    for model, moved in ((blind, part), (aware, whole)):
        assert (model(moved) - model(images).repeat(8, 1)).abs().amax(dim=1).min() > 1e-4


def test_attention_inputs_are_what_the_layers_see():
    model = ViT("softmax", image_size=(8, 12), patch=4, dim=16, depth=3, heads=2)
    seen = []
    for block in model.blocks:
        block.attention.attend = lambda x, carry, mask, f=block.attention.attend: (seen.append(x), f(x, carry, mask))[1]
    images = torch.rand(2, 1, 8, 12)
    expected = model.attention_inputs(images)
    assert model.grid == (2, 3)
    assert len(seen) == 3
    assert all(torch.equal(a, b) for a, b in zip(seen, expected, strict=True))


def test_the_block_hands_the_carry_on():
    class Counting(SoftmaxAttention):
        def attend(self, x, carry=None, mask=None):
            y, _ = super().attend(x, None, mask)
            return y, Carry(logits=torch.ones(1) if carry is None else carry.logits + 1)

    blocks = [Block(Counting(8, 2)) for _ in range(3)]
    x, carry = torch.randn(1, 4, 8), None
    for block in blocks:
        x, carry = block(x, carry)
    assert carry.logits.item() == 3


def test_block_masks():
    block, x = Block(SoftmaxAttention(8, 2)), torch.randn(2, 5, 8)
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    torch.testing.assert_close(block(x, mask=mask)[0][1:, :3], block(x[1:, :3])[0])


def test_mlp_shape():
    assert Mlp(8, 32, 3)(torch.zeros(2, 5, 8)).shape == (2, 5, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_size": 28}, r"image_size must be \(height, width\), got 28"),
        ({"image_size": (0, 28)}, r"image_size height must be a whole number >= 1, got 0"),
        ({"dim": 64.5}, r"dim must be a whole number >= 1, got 64.5"),
        ({"classes": 0}, r"classes must be a whole number >= 1, got 0"),
        ({"image_size": (30, 28)}, r"image_size must be divisible by patch = 4, got \(30, 28\)"),
        ({"depth": 0}, r"depth must be a whole number >= 1, got 0"),
        ({"heads": 3}, r"dim must be divisible by heads, got dim = 64 and heads = 3"),
        ({"std": 0.0}, r"std must be a finite number > 0, got 0.0"),
        ({"mlp_ratio": 0}, r"hidden must be a whole number >= 1, got 0"),
        ({"options": {"weigth": 1}}, r"unknown option of vars-d 'weigth': did you mean 'weight'"),
    ],
)
def test_bad_settings(change, message):
    with pytest.raises(ValueError, match=message):
        ViT("vars-d", **{"image_size": (28, 28), **change})


def test_bad_images():
    model = ViT("softmax", image_size=(28, 28), depth=1)
    with pytest.raises(ValueError, match=r"images must have shape \[batch, 1, 28, 28\], got \[2, 3, 28, 28\]"):
        model(torch.zeros(2, 3, 28, 28))
