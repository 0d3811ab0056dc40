"""What peripheral attention keeps while it is only evaluated, and that it is never out of date."""

import copy

import pytest
import torch
from torch.func import functional_call

from unroll.attention import create


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return create("peripheral", dim=8, heads=2, grid=(3, 3)).eval()


def fresh(layer):
    """Return what the position network says now."""
    return layer.position().detach()


def _step(layer):
    optimiser = torch.optim.SGD(layer.parameters(), 1.0)
    with torch.enable_grad():
        layer(torch.ones(1, 9, 8) * torch.arange(9)[:, None]).sum().backward()
        layer.position.norm2.bias.grad.add_(1)
    optimiser.step()


CHANGES = {
    "in place": lambda layer: layer.position.norm2.bias.add_(1),
    "through data": lambda layer: layer.position.norm2.bias.data.add_(1),
    "other data": lambda layer: setattr(layer.position.norm2.bias, "data", torch.ones(2)),
    "other parameter": lambda layer: setattr(layer.position.norm2, "bias", torch.nn.Parameter(torch.ones(2))),
    "state dict": lambda layer: layer.load_state_dict(
        {name: tensor + 0.1 for name, tensor in layer.state_dict().items()}
    ),
    "assigned state dict": lambda layer: layer.load_state_dict(
        {name: tensor.double() + 0.1 for name, tensor in layer.state_dict().items()}, assign=True
    ),
    "optimiser": _step,
    "dtype": lambda layer: layer.double(),
    "other network": lambda layer: setattr(
        layer, "position", create("peripheral", dim=8, heads=2, grid=(3, 3), symmetric=True).position
    ),
}


@torch.no_grad()
def test_it_is_computed_once(layer):
    assert layer.log_position() is layer.log_position()
    assert torch.equal(layer.log_position(), fresh(layer))


@pytest.mark.parametrize("change", CHANGES)
@torch.no_grad()
def test_a_change_is_seen(layer, change):
    before = layer.log_position()
    CHANGES[change](layer)
    after = layer.log_position()
    assert after.dtype != before.dtype or not torch.equal(after, before)
    assert torch.equal(after, fresh(layer))


@torch.no_grad()
def test_training_mode_forgets(layer):
    before = layer.log_position()
    assert layer.train().eval().log_position() is not before


@torch.no_grad()
def test_other_weights_for_one_call(layer):
    before, x = layer(torch.ones(1, 9, 8)), torch.randn(1, 9, 8)
    changed = {name: p + 0.5 for name, p in layer.named_parameters()}
    other = copy.deepcopy(layer)
    other.load_state_dict(changed)
    torch.testing.assert_close(functional_call(layer, changed, (x,)), other(x))
    assert torch.equal(layer(torch.ones(1, 9, 8)), before)


def test_gradients_come_through_in_evaluation_and_twice(layer):
    x = torch.randn(1, 9, 8)
    with torch.no_grad():
        layer(x)
    for _ in range(2):  # the release's kept weights belong to a graph that is gone by then
        layer.zero_grad()
        layer(x).square().sum().backward()
        assert all(p.grad is not None and p.grad.any() for p in layer.position.parameters())


def test_what_inference_mode_keeps_can_be_used_in_a_graph(layer):
    layer.requires_grad_(False)
    with torch.inference_mode():
        kept = layer.log_position()
    x = torch.randn(1, 9, 8, requires_grad=True)
    layer(x).square().sum().backward()
    assert x.grad.any()
    assert layer.log_position() is kept


def test_it_is_no_part_of_the_state(layer):
    with torch.no_grad():
        layer.log_position()
    assert not [name for name in layer.state_dict() if "kept" in name or "plane" in name]
