"""For each family of golden files: set our layer's weights from the file, and return our numbers by the file's keys."""

from collections.abc import Callable

import torch
from torch import Tensor

from unroll.attention import KernelAttention, VarsD, VarsS, create
from unroll.attention.vars_s import unit_energy
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
        "learned_gram": layer.factors.gram,
        "learned_lambda": layer.factors.weight,
        "learned_step": layer.factors.step,
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


def vars_sd(golden: Golden) -> Golden:
    layer = _vars_d_layer(golden, "vars-sd", grid=(golden["image_size"],) * 2)
    x = golden["x"].clone().requires_grad_()
    problem, readout = layer.bind(x)
    y = layer(x)
    variables = {
        "x": x,
        "static_kernel": layer.static,
        "learned_gram": layer.factors.gram,
        "qkv_weight": layer.qv.weight,
    }
    gradients = torch.autograd.grad((y * golden["upstream"]).sum(), variables.values())
    codes = [Unrolled(steps)(problem).value for steps in range(golden["num_steps"] + 1)]
    return {
        "y": y.detach(),
        "features": readout(torch.eye(problem.gram.shape[-1], dtype=x.dtype)).detach(),
        "correlations": problem.correlation.detach(),
        "effective_gram": problem.gram.detach(),
        "effective_lipschitz": problem.lipschitz.detach(),
        "codes": torch.stack(codes).detach(),
        "reconstruction": readout(codes[-1]).detach(),
        **{f"grad_{name}": g for name, g in zip(variables, gradients, strict=True)},
    }


def vars_s(golden: Golden) -> Golden:
    x = golden["x"]
    side, dim = golden["image_size"], x.shape[-1]
    layer: VarsS = create(
        "vars-s",
        dim=dim,
        heads=1,
        grid=(side, side),
        filters=golden["code_ratio"],
        weight=golden["lam"],
        solver=Unrolled(golden["num_steps"]),
        published=True,
    ).double()
    layer.output[0].eps = golden["norm_eps"]
    layer.load_state_dict(
        {
            "qv.weight": golden["v_weight"],
            "qv.bias": golden["v_bias"],
            "filters": golden["kernel"].squeeze(2),
            "second": golden["kernel2"].squeeze((1, 2)),
            "lipschitz": golden["lipschitz_before"],
            "output.0.weight": golden["norm_weight"],
            "output.0.bias": golden["norm_bias"],
            "output.0.running_mean": golden["norm_running_mean"],
            "output.0.running_var": golden["norm_running_var"],
            "output.0.num_batches_tracked": torch.tensor(0),
            "output.1.weight": golden["proj_weight"],
            "output.1.bias": golden["proj_bias"],
        }
    )
    layer.eval().refresh_bound(golden["lipschitz_momentum"])
    with torch.no_grad():
        problem, readout = layer.bind(x)
        codes = [Unrolled(steps)(problem).value for steps in range(golden["num_steps"] + 1)]
        return {
            "values": layer.merge_heads(layer.project(x)[-1]),
            "correlations": problem.correlation.flatten(3).flatten(1, 2),
            "lipschitz": problem.lipschitz,
            "lipschitz_true_spectral": problem.spectrum.abs().square().sum(1).amax((-2, -1)),
            "kernel_normalised": unit_energy(golden["kernel"], side),
            "codes": torch.stack(codes).flatten(4).flatten(2, 3),
            "reconstruction": problem.synthesis(codes[-1]).flatten(2).mT,
            "y": layer.merge_heads(readout(codes[-1])),
            "y_projected": layer(x),
        }


def _vars_d_layer(golden: Golden, name: str = "vars-d", grid: tuple[int, int] | None = None) -> VarsD:
    static = {} if grid is None else {"static": golden["static_kernel"]}
    layer = create(
        name,
        dim=golden["x"].shape[-1],
        heads=golden["heads"],
        templates=golden["feature_dim"],
        weight=golden["lam"],
        solver=Unrolled(golden["num_steps"]),
        grid=grid,
        published=True,
    ).double()
    layer.load_state_dict(
        {
            **static,
            "qv.weight": golden["qkv_weight"],
            "qv.bias": golden["qkv_bias"],
            "features.projection": golden["random_projection"],
            "factors.gram": golden["learned_gram"],
            "factors.weight": golden["learned_lambda"],
            "factors.step": golden["learned_step"],
            "output.weight": golden["proj_weight"],
            "output.bias": golden["proj_bias"],
        }
    )
    return layer


CASES: dict[str, Callable[[Golden], Golden]] = {
    "vars_d": vars_d,
    "vars_d_gradients": vars_d_gradients,
    "vars_s": vars_s,
    "vars_sd": vars_sd,
    "performer": performer,
}
