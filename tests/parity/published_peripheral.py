"""As ``published.py``, for peripheral attention: its position network, the layer, the block and how they start."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from unroll.attention import PeripheralAttention, PositionNetwork, create, distances
from unroll.models import Block, ConditionalPositions

Golden = dict[str, Tensor]

# The release's names of the network's parameters, by ours.
_NETWORK = {
    "distance.weight": "rpe_proj_weight",
    "distance.bias": "rpe_proj_bias",
    "first.weight": "conv1_weight",
    "first.bias": "conv1_bias",
    "norm1.weight": "gn1_weight",
    "norm1.bias": "gn1_bias",
    "second.weight": "conv2_weight",
    "second.bias": "conv2_bias",
    "norm2.weight": "gn2_weight",
    "norm2.bias": "gn2_bias",
}


def peripheral_position(golden: Golden) -> Golden:
    network = _network(golden)
    with torch.no_grad():
        # We never make the first two images, so they only tell that the weights are in their places.
        probe = golden["probe_query"]
        image = network.first(_distance_image(golden, network))
        hidden = F.relu(network.norm1(image))
        logits = network.logits().transpose(0, 1).unflatten(2, network.grid) + network.second.bias[:, None, None]
        return {
            "conv1_probe": image[probe],
            "hidden_probe": hidden[probe],
            "logits_before_norm": logits,
            "logits_after_norm": network.norm2(logits),
            "position_weights": network().exp()[None],
        }


def mpa(golden: Golden) -> Golden:
    layer = _layer(golden)
    x = golden["x"].clone().requires_grad_()
    y = layer(x)
    variables = {
        "x": x,
        "to_qkv_weight": layer.qkv.weight,
        "proj_weight": layer.output.weight,
        "proj_bias": layer.output.bias,
        **{name: layer.position.get_parameter(ours) for ours, name in _NETWORK.items()},
    }
    loss = (y * golden["upstream"]).sum()
    # No gradient comes to the biases before a norm, where the release has round-off.
    gradients = torch.autograd.grad(loss, variables.values(), allow_unused=True, materialize_grads=True)
    with torch.no_grad():
        q, k, _ = (layer.split_heads(part) for part in layer.qkv(x).chunk(3, dim=-1))
        logits = q @ k.mT * golden["scale"]
        return {
            "content_logits": logits,
            "position_weights": layer.position_map()[None],
            "attention": layer.attention_map(x),
            "y": y.detach(),
            **{f"grad_{name}": g for name, g in zip(variables, gradients, strict=True)},
        }


def pervit_block(golden: Golden) -> Golden:
    x = golden["x"]
    layer = _layer(golden)
    block = Block(
        layer,
        mlp_ratio=golden["mlp_ratio"],
        before=ConditionalPositions(layer.dim, layer.grid),
        out=int(golden["next_dim"]),
        eps=golden["layernorm_eps"],
    ).double()
    block.load_state_dict(
        {
            **{f"attention.{name}": tensor for name, tensor in layer.state_dict().items()},
            "norm1.0.weight": golden["cpe_weight"],
            "norm1.0.bias": golden["cpe_bias"],
            "norm1.1.weight": golden["norm1_weight"],
            "norm1.1.bias": golden["norm1_bias"],
            "norm2.weight": golden["norm2_weight"],
            "norm2.bias": golden["norm2_bias"],
            "residual.weight": golden["res_path_weight"],
            "residual.bias": golden["res_path_bias"],
            "mlp.0.weight": golden["fc1_weight"],
            "mlp.0.bias": golden["fc1_bias"],
            "mlp.2.weight": golden["fc2_weight"],
            "mlp.2.bias": golden["fc2_bias"],
        }
    )
    block.eval()
    with torch.no_grad():
        heard = layer(block.norm1(x))
        middle = x + heard
        return {
            "cpe_out": block.norm1[0](x),
            "norm1_out": block.norm1(x),
            "position_weights": layer.position_map()[None],
            "attention_out": heard,
            "after_attention": middle,
            "norm2_out": block.norm2(middle),
            "mlp_out": block.mlp(block.norm2(middle)),
            "residual_out": block.residual(middle),
            "y": block(x)[0],
        }


def pervit_init(golden: Golden) -> Golden:
    grid, heads = (golden["side"],) * 2, golden["heads"]
    apart = distances(grid)

    def layers(depth: int) -> list[PeripheralAttention]:
        made = [create("peripheral", dim=heads, heads=heads, grid=grid, published=True) for _ in range(depth)]
        return [layer.double().at_depth(index, depth) for index, layer in enumerate(made)]

    usual, other = layers(golden["depth"]), layers(golden["other_depth"])
    with torch.no_grad():
        weights = torch.stack([usual[index].position_map() for index in golden["layers"].tolist()])
        return {
            "norm_bias": torch.stack([layer.position.norm2.bias[0] for layer in usual]),
            "norm_weight": torch.stack([layer.position.norm2.weight[0] for layer in usual]),
            "other_norm_bias": torch.stack([layer.position.norm2.bias[0] for layer in other]),
            "other_norm_weight": torch.stack([layer.position.norm2.weight[0] for layer in other]),
            "centre_row": weights[:, :, golden["centre_query"]],
            "corner_row": weights[:, :, golden["corner_query"]],
            "nonlocality": (weights * apart).mean((-2, -1)),
        }


def _layer(golden: Golden) -> PeripheralAttention:
    layer = create(
        "peripheral",
        dim=golden["x"].shape[-1],
        heads=golden["heads"],
        grid=(golden["side"],) * 2,
        published=True,
    ).double()
    network = _network(golden)
    layer.load_state_dict(
        {
            **{f"position.{name}": tensor for name, tensor in network.state_dict().items()},
            "qkv.weight": golden["to_qkv_weight"],
            "output.weight": golden["proj_weight"],
            "output.bias": golden["proj_bias"],
        }
    )
    return layer.eval()


def _network(golden: Golden) -> PositionNetwork:
    network = PositionNetwork(golden["heads"], (golden["side"],) * 2, side=golden["kernel_size"], published=True)
    network.double().load_state_dict({ours: golden[name] for ours, name in _NETWORK.items()})
    network.norm1.eps = network.norm2.eps = golden["groupnorm_eps"]
    return network


def _distance_image(golden: Golden, network: PositionNetwork) -> Tensor:
    """Return the projected distances from each place of the grid to each place around it, [N, 4 H, side, side]."""
    side, pad = golden["side"], golden["pad"]
    wide = side + 2 * pad
    inner = torch.arange(wide**2).view(wide, wide)[pad:-pad, pad:-pad].flatten()
    return network.distance(golden["distances"][inner]).mT.unflatten(2, (wide, wide))


CASES: dict[str, Callable[[Golden], Golden]] = {
    "peripheral_position": peripheral_position,
    "mpa": mpa,
    "pervit_block": pervit_block,
    "pervit_init": pervit_init,
}
