"""As ``published.py``, for evolving attention: chains of layers that only their logits link, and relative positions."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from unroll.attention import (
    Carry,
    Evolution,
    EvolvingHeads,
    RelativeGrid,
    RelativeSequence,
    merge_untransposed,
    residual_convolution,
)
from unroll.attention.evolution import SLOPES
from unroll.models import AugmentedBlock, AugmentedConvolution

Golden = dict[str, Tensor]


def evolving_chain(golden: Golden) -> Golden:
    assert golden["leaky_slope"] == SLOPES["leaky-relu"]
    ours = {}
    for activation in ("leaky-relu", "relu"):
        ours |= _sequence_chain(golden, activation)
    return ours | _image_chain(golden)


def _sequence_chain(golden: Golden, activation: str) -> Golden:
    ours, carry, heads = {}, None, int(golden["seq_num_heads"])
    short = activation.partition("-")[0]
    for layer in range(int(golden["num_layers"])):
        name = f"seq_layer{layer}"
        parts = [int(golden["seq_dk"])] * 2 + [int(golden["seq_dv"])]
        q, k, v = _projected(golden, golden[f"{name}_x"].mT, f"{name}_qkv", parts, heads)
        evolution = _evolution(golden, name, "seq", heads, activation)
        ours |= _scaled(name, q, k, v, transposed=True)
        layer_ours, heard, carry = _heads(evolution, q, k, v, carry)
        ours[f"{name}_logits"] = layer_ours.pop("logits")
        ours |= {f"{name}_{short}_{key}": value for key, value in layer_ours.items()}
        ours[f"{name}_{short}_output"] = _merge(heard).mT
        ours[f"{name}_{short}_output_reference_reshape"] = merge_untransposed(heard).mT
    return ours


def _image_chain(golden: Golden) -> Golden:
    ours, carry, heads = {}, None, int(golden["img_num_heads"])
    for layer in range(int(golden["num_layers"])):
        name = f"img_layer{layer}"
        q, k, v = _image_projections(golden, name, heads)
        ours |= _scaled(name, q, k, v)
        layer_ours, heard, carry = _heads(_evolution(golden, name, "img", heads, "relu"), q, k, v, carry)
        ours |= {f"{name}_{key}": value for key, value in layer_ours.items()}
        ours |= _image_outputs(golden, name, heard)
    return ours


def evolving_relative(golden: Golden) -> Golden:
    heads = int(golden["seq_num_heads"])
    parts = [int(golden["seq_dk"])] * 2 + [int(golden["seq_dv"])]
    q, k, v = _projected(golden, golden["seq_x"].mT, "seq_qkv", parts, heads)
    table = golden["seq_rel_key"]
    relative = RelativeSequence(table.shape[1], span=len(table) // 2).double()
    relative.load_state_dict({"table": table})
    scaled = q * q.shape[-1] ** -0.5
    heard, carry = EvolvingHeads(_first(heads), relative)(q, k, v)
    ours = {
        "seq_q_scaled": scaled,
        "seq_rel_scores": scaled @ relative.table.mT,
        "seq_rel_logits": relative.bias(scaled),
        "seq_content_logits": scaled @ k.mT,
        "seq_logits": carry.logits,
        "seq_weights": carry.logits.softmax(-1),
        "seq_output": _merge(heard).mT,
        "seq_output_reference_reshape": merge_untransposed(heard).mT,
    }

    heads, grid = int(golden["img_num_heads"]), (int(golden["img_height"]), int(golden["img_width"]))
    q, k, v = _image_projections(golden, "img", heads)
    tables = {"vertical": golden["img_rel_height"], "horizontal": golden["img_rel_width"]}
    relative = RelativeGrid(q.shape[-1], grid).double()
    relative.load_state_dict(tables)
    scaled = q * q.shape[-1] ** -0.5
    heard, carry = EvolvingHeads(_first(heads), relative)(q, k, v)
    alone = {}
    for part in tables:
        one = RelativeGrid(q.shape[-1], grid).double()
        one.load_state_dict({name: table if name == part else 0 * table for name, table in tables.items()})
        alone[part] = one.bias(scaled)
    ours |= {
        "img_q_scaled": scaled.unflatten(2, grid),
        "img_rel_logits_width": alone["horizontal"],
        "img_rel_logits_height": alone["vertical"],
        "img_content_logits": scaled @ k.mT,
        "img_logits": carry.logits,
        "img_weights": carry.logits.softmax(-1),
        **_image_outputs(golden, "img", heard),
    }
    return {key: value.detach() for key, value in ours.items()}


def ea_dc_block(golden: Golden) -> Golden:
    """``fix_`` is what we do by default, ``ref_`` what we do with the published switch; both on the same table."""
    ours = {}
    for prefix, published in (("fix", False), ("ref", True)):
        x, carry = golden["x"].mT, None
        for index in (0, 1):
            block = _augmented_block(golden, f"block{index}", index, published)
            made: list[tuple[Tensor, Carry]] = []
            hooks = [
                convolution.register_forward_hook(lambda *call, made=made: made.append(call[-1]))
                for convolution in block.convolutions
            ]
            with torch.no_grad():
                x, carry = block(x, carry)
            for hook in hooks:
                hook.remove()
            for number, (out, handed) in enumerate(made, start=1):
                ours[f"{prefix}_block{index}_conv{number}_out"] = out.mT
                ours[f"{prefix}_block{index}_conv{number}_logits"] = handed.logits
            # The release rectifies logits where they are written, we where they are read.
            rectified = F.leaky_relu(carry.logits, golden["leaky_slope"])
            ours |= {f"{prefix}_block{index}_out": x.mT, f"{prefix}_block{index}_att": rectified}
    return ours


def _augmented_block(golden: Golden, name: str, index: int, published: bool) -> AugmentedBlock:
    heads = int(golden["num_heads"])
    convolutions = []
    for number in (1, 2):
        own = f"{name}_conv{number}"
        table = golden[f"{own}_rel_key"]
        relative = RelativeSequence(table.shape[1], span=len(table) // 2, learned=not published)
        if published:
            relative.draw = lambda *_, table=table: table  # what the release happened to draw
        if f"{own}_att_conv_weight" in golden:
            evolution = Evolution(heads, alpha=golden["alpha"], beta=golden["beta"])
        else:
            evolution = _first(heads)
        out, width = golden["block0_norm1_weight"].shape[0], golden[f"{own}_branch_v"].shape[1]
        layer = AugmentedConvolution(
            width,
            out,
            kernel=int(golden["kernel_size"]),
            dilation=int(golden[f"{name}_dilation"]),
            heads=EvolvingHeads(evolution, relative),
            keys=int(golden["dk"]),
            values=int(golden["dv"]),
            count=heads,
            published=published,
        ).double()
        weights = {
            "qkv.weight": golden[f"{own}_qkv_weight"],
            "qkv.bias": golden[f"{own}_qkv_bias"],
            "convolution.bias": golden[f"{own}_branch_bias"],
            "convolution.parametrizations.weight.original0": golden[f"{own}_branch_g"][:, None, None],
            "convolution.parametrizations.weight.original1": golden[f"{own}_branch_v"],
        }
        if not published:
            weights["heads.relative.table"] = table
        if evolution.convolution is not None:
            weights |= {
                f"heads.evolution.convolution.{part}": golden[f"{own}_att_conv_{part}"] for part in ("weight", "bias")
            }
        layer.load_state_dict(weights)
        convolutions.append(layer)
    block = AugmentedBlock(*convolutions, hidden=int(golden["dim_feedforward"])).double().eval()
    for norm, number in ((block.norm, 1), (block.norms[0], 2), (block.norms[1], 3)):
        norm.eps = golden["batchnorm_eps"]
        norm.load_state_dict(
            {
                "weight": golden[f"{name}_norm{number}_weight"],
                "bias": golden[f"{name}_norm{number}_bias"],
                "running_mean": golden[f"{name}_norm{number}_mean"],
                "running_var": golden[f"{name}_norm{number}_var"],
                "num_batches_tracked": torch.tensor(0),
            }
        )
    for mlp, (one, two) in zip(block.mlps, ((1, 2), (3, 4)), strict=True):
        for linear, number in ((mlp[0], one), (mlp[-1], two)):
            linear.load_state_dict({part: golden[f"{name}_linear{number}_{part}"] for part in ("weight", "bias")})
    if isinstance(block.residual, torch.nn.Linear):
        block.residual.load_state_dict({part: golden[f"{name}_residual_{part}"] for part in ("weight", "bias")})
    return block


def _first(heads: int) -> Evolution:
    """Return what the first layer of a released chain does: hand its own logits on as they are."""
    return Evolution(heads, beta=0, convolution=False).double()


def _evolution(golden: Golden, layer: str, form: str, heads: int, activation: str) -> Evolution:
    if f"{layer}_conv_weight" not in golden:
        return _first(heads)
    shares = {name: golden[f"{form}_{name}"] for name in ("alpha", "beta")}
    evolution = Evolution(heads, activation=activation, **shares).double()
    evolution.convolution.load_state_dict({part: golden[f"{layer}_conv_{part}"] for part in ("weight", "bias")})
    return evolution


@torch.no_grad()
def _heads(evolution: Evolution, q: Tensor, k: Tensor, v: Tensor, carry: Carry | None) -> tuple[Golden, Tensor, Carry]:
    """Return the numbers on the way, what the heads hear and the carry."""
    heard, after = EvolvingHeads(evolution)(q, k, v, carry)
    ours = {"logits": q @ k.mT * q.shape[-1] ** -0.5, "evolved": after.logits, "weights": after.logits.softmax(-1)}
    if evolution.convolution is not None:
        own = (q * evolution.query_scale(q.shape[-1])) @ k.mT
        mixed = evolution.mix(own, carry.logits, None)
        kernel, zero = evolution.convolution, torch.zeros((), dtype=mixed.dtype)
        change = residual_convolution(mixed, kernel.weight, kernel.bias, zero, slope=evolution.slope, causal=False)
        ours |= {"mixed": mixed, "convolved": change}
    return ours, heard, after


def _projected(golden: Golden, x: Tensor, name: str, parts: list[int], heads: int) -> list[Tensor]:
    projected = F.linear(x, golden[f"{name}_weight"], golden[f"{name}_bias"])
    return [part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in projected.split(parts, dim=-1)]


def _image_projections(golden: Golden, name: str, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    dk, dv = int(golden["img_dk"]), int(golden["img_dv"])
    k, q, v = _projected(golden, golden[f"{name}_x"].flatten(1, 2), f"{name}_kqv", [dk, dk, dv], heads)
    return q, k, v


def _image_outputs(golden: Golden, name: str, heard: Tensor) -> Golden:
    x = golden[f"{name}_x"]
    merged = _merge(heard).unflatten(1, x.shape[1:3])
    attended = F.linear(merged, golden[f"{name}_proj_weight"], golden[f"{name}_proj_bias"])
    branch = F.conv2d(x.permute(0, 3, 1, 2), golden[f"{name}_branch_weight"], padding=1).permute(0, 2, 3, 1)
    return {f"{name}_heads_merged": merged, f"{name}_output": torch.cat([branch, attended], dim=-1)}


def _scaled(name: str, q: Tensor, k: Tensor, v: Tensor, *, transposed: bool = False) -> Golden:
    parts = {"q_scaled": q * q.shape[-1] ** -0.5, "k": k, "v": v}
    return {f"{name}_{key}": part.mT if transposed else part for key, part in parts.items()}


def _merge(heard: Tensor) -> Tensor:
    return heard.transpose(1, 2).flatten(2)


CASES: dict[str, Callable[[Golden], Golden]] = {
    "evolving_chain": evolving_chain,
    "evolving_relative": evolving_relative,
    "ea_dc_block": ea_dc_block,
}
