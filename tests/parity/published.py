"""For each family of golden files: set our layer's weights from the file, and return our numbers by the file's keys."""

from collections.abc import Callable

import torch
from torch import Tensor

from unroll.attention import KernelAttention, VarsD, create
from unroll.problems import row_sum
from unroll.solvers import Unrolled

Golden = dict[str, Tensor]


def vars_d(golden: Golden) -> Golden:
    layer, x = _vars_d_layer(golden), golden["x"]
    with torch.no_grad():
        q, values = layer.project(x)
        problem, readout = layer.bind(x)
        features = readout(torch.eye(layer.features.count, dtype=x.dtype))
        codes = [Unrolled(steps)(problem).value for steps in range(golden["num_steps"] + 1)]
        return {
            "values": values,
            "random_features": layer.features(q),
            "features": features,
            "correlations": problem.correlation,
            "gram": features.mT @ features,
            "effective_gram": problem.gram,
            "lipschitz": 1 + row_sum(features.mT @ features),
            "effective_lipschitz": problem.lipschitz,
            "codes": torch.stack(codes),
            "reconstruction": readout(codes[-1]),
            "y": layer(x),
        }


def vars_d_gradients(golden: Golden) -> Golden:
    layer = _vars_d_layer(golden)
    variables = {
        "x": golden["x"].clone().requires_grad_(),
        "qkv_weight": layer.qv.weight,
        "qkv_bias": layer.qv.bias,
        "learned_gram": layer.released.learned_gram,
        "learned_lambda": layer.released.learned_lambda,
        "learned_step": layer.released.learned_step,
        "proj_weight": layer.output.weight,
        "proj_bias": layer.output.bias,
    }
    y = layer(variables["x"])
    gradients = torch.autograd.grad((y * golden["upstream"]).sum(), variables.values())
    return {"y": y.detach(), **{f"grad_{name}": g for name, g in zip(variables, gradients, strict=True)}}


def performer(golden: Golden) -> Golden:
    x = golden["x"]
    layer: KernelAttention = create(
        "kernel", dim=x.shape[-1], heads=golden["heads"], features=golden["feature_dim"]
    ).double()
    layer.load_state_dict(
        {
            "qkv.weight": golden["qkv_weight"],
            "qkv.bias": golden["qkv_bias"],
            "features.projection": golden["random_projection"],
            "output.weight": golden["proj_weight"],
            "output.bias": golden["proj_bias"],
        }
    )
    with torch.no_grad():
        q, k, v = (layer.split_heads(part) for part in layer.qkv(x).chunk(3, dim=-1))
        query, key = layer.features(q), layer.features(k)
        return {
            "query_features": query,
            "key_features": key,
            "attention_unnormalised": query @ key.mT,
            "values": v,
            "attention": layer.attention_map(x),
            "y": layer(x),
        }


def _vars_d_layer(golden: Golden) -> VarsD:
    layer = create(
        "vars-d",
        dim=golden["x"].shape[-1],
        heads=golden["heads"],
        templates=golden["feature_dim"],
        weight=golden["lam"],
        solver=Unrolled(golden["num_steps"]),
        published=True,
    ).double()
    layer.load_state_dict(
        {
            "qv.weight": golden["qkv_weight"],
            "qv.bias": golden["qkv_bias"],
            "features.projection": golden["random_projection"],
            "released.learned_gram": golden["learned_gram"],
            "released.learned_lambda": golden["learned_lambda"],
            "released.learned_step": golden["learned_step"],
            "output.weight": golden["proj_weight"],
            "output.bias": golden["proj_bias"],
        }
    )
    return layer


CASES: dict[str, Callable[[Golden], Golden]] = {
    "vars_d": vars_d,
    "vars_d_gradients": vars_d_gradients,
    "performer": performer,
}
