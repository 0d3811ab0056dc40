"""What is measured of a map, of a code, and of a layer on its way to its fixed point."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from unroll.attention import IterativeAttention
from unroll.contracts import Kind, Problem
from unroll.models import ImageModel
from unroll.solvers import FISTA, Unrolled

REFERENCE_STEPS = 2000
SETTLED = 1e-3


def normalised(attention_map: Annotated[Tensor, "B H N N"]) -> Annotated[Tensor, "B H N N"]:
    """Return the absolute map with rows that sum to 1; a row of zeros stays so."""
    weights = attention_map.abs()
    return weights / weights.sum(-1, keepdim=True).clamp_min(torch.finfo(weights.dtype).tiny)


def effective_tokens(attention_map: Annotated[Tensor, "B H N N"]) -> float:
    r"""Return how many tokens an output hears: the mean over rows of :math:`\exp(-\sum_j a_j \ln a_j)`.

    From 1 (a single token) to N (all alike).

    Example:
        >>> effective_tokens(torch.full((1, 1, 8, 8), 1 / 8))
        8.00
    """
    weights = normalised(attention_map)
    return torch.special.entr(weights).sum(-1).exp().mean().item()


def mixing(attention_map: Annotated[Tensor, "B H N N"]) -> float:
    """Return the share of the absolute map off its diagonal: 0 when no token hears another.

    Example:
        >>> mixing(torch.eye(8).expand(1, 1, 8, 8))
        0.0
    """
    weights = normalised(attention_map)
    return 1 - weights.diagonal(dim1=-2, dim2=-1).mean().item()


def map_rank(attention_map: Annotated[Tensor, "B H N N"]) -> float:
    r"""Return the mean effective rank of the maps, :math:`\exp(-\sum_i p_i \ln p_i)`, p their scaled singular values.

    p is scaled to sum to 1. The rank goes from 1 (all outputs hear the same) to N.

    Source: Roy and Vetterli 2007 (the effective rank).

    Example:
        >>> map_rank(torch.eye(8).expand(1, 1, 8, 8)), map_rank(torch.full((1, 1, 8, 8), 1 / 8))
        (8.00, 1.00)
    """
    values = torch.linalg.svdvals(normalised(attention_map).float())
    return torch.special.entr(values / values.sum(-1, keepdim=True)).sum(-1).exp().mean().item()


def map_similarity(one: Annotated[Tensor, "B H N N"], other: Annotated[Tensor, "B H N N"]) -> float:
    """Return how much two layers' maps are alike: the correlation of their entries, heads averaged, mean over samples.

    1 for the same map, 0 for unrelated ones, and for one that is the same everywhere.

    Example:
        >>> map_similarity(torch.eye(8).expand(1, 2, 8, 8), torch.eye(8).expand(1, 2, 8, 8))
        1.00
    """
    first, second = (normalised(part).mean(1).flatten(1) for part in (one, other))
    first, second = (part - part.mean(-1, keepdim=True) for part in (first, second))
    return torch.cosine_similarity(first, second, dim=-1).mean().item()


def along_layers(maps: Sequence[Annotated[Tensor, "B H N N"]]) -> Iterator[tuple[str, int, float]]:
    """Yield measure, layer (from 1) and value: of each layer's maps, and of how they differ from those before."""
    for layer, attention_map in enumerate(maps, start=1):
        yield "effective tokens", layer, effective_tokens(attention_map)
        yield "map rank", layer, map_rank(attention_map)
        yield "similarity to layer 1", layer, map_similarity(maps[0], attention_map)
        if layer > 1:
            yield "similarity to the layer before", layer, map_similarity(maps[layer - 2], attention_map)


@torch.no_grad()
def loudness(model: ImageModel, images: Annotated[Tensor, "B channels height width"]) -> list[float]:
    r"""Return :math:`|\text{output}| / |\text{stream}|` of each attention layer, a number a layer.

    It says how loud a layer speaks into the tokens that its output is added to.
    Far above 1, what stood in them before is drowned: the layer has replaced it. Means over tokens and images.

    Example:
        >>> from unroll import ViT
        >>> model = ViT("softmax", image_size=(8, 8), patch=4, dim=16, depth=2, heads=2)
        >>> len(loudness(model, torch.rand(3, 1, 8, 8)))
        2
    """
    x, carry, ratios = model.tokens(images.to(model.mean.device)), None, []
    for block in model.blocks:
        output, _ = block.attention.attend(block.norm1(x), carry)
        ratios.append((output.norm(dim=-1) / x.norm(dim=-1).clamp_min(1e-30)).mean().item())
        x, carry = block(x, carry)
    return ratios


@dataclass(frozen=True)
class FixedPointReport:
    r"""How an iterative layer stands to the fixed point of its own problem, as means over samples.

    Attributes:
        residual: of the code that the layer stops at.
        distance: :math:`|z - z^\star| / |z^\star|`, the latter from a run of 2,000 steps; None where even that run does
            not settle (its residual stays above 1e-3), so that there is nothing to be distant from.
        zeros: share of exact zeros in the code, 0 to 1.
        error: :math:`|V - o| / |V|` of the heads' outputs o: what of the values is not reconstructed.
        gain: :math:`|o| / |V|`: how loud the layer speaks, relative to its values.

    Example:
        >>> from unroll import create
        >>> report = fixed_point_report(create("vars-d", dim=16, heads=2, weight=0.1), torch.randn(2, 9, 16))
        >>> 0 <= report.zeros <= 1, report.residual > 0
        (True, True)
    """

    residual: float
    distance: float | None
    zeros: float
    error: float
    gain: float


@torch.no_grad()
def fixed_point_report(layer: IterativeAttention, x: Annotated[Tensor, "B N C"]) -> FixedPointReport:
    """Hold the layer's code against the fixed point of the problem that ``x`` poses.

    Raises:
        ValueError: when x does not fit the layer.

    Example:
        >>> from unroll import FISTA, create
        >>> layer = create("vars-d", dim=16, heads=2, weight=0.1, solver=FISTA(1000))
        >>> fixed_point_report(layer, torch.randn(2, 9, 16)).distance < 1e-2
        True
    """
    problem, readout = layer.bind(x)
    values = layer.project(x)[-1].flatten(1)
    state = layer.solver(problem).value
    solver = FISTA(REFERENCE_STEPS) if problem.kind is Kind.PROXIMAL else Unrolled(REFERENCE_STEPS)
    settled = solver(problem).value
    code, target = problem.decode(state), problem.decode(settled)
    off = (code - target).flatten(1).norm(dim=1) / target.flatten(1).norm(dim=1).clamp_min(1e-30)
    outputs, size = readout(code).flatten(1), values.norm(dim=1).clamp_min(1e-30)
    has_settled = _residual(problem, settled) <= SETTLED
    return FixedPointReport(
        residual=_residual(problem, state),
        distance=off.mean().item() if has_settled else None,
        zeros=(code == 0).float().mean().item(),
        error=((values - outputs).norm(dim=1) / size).mean().item(),
        gain=(outputs.norm(dim=1) / size).mean().item(),
    )


@torch.no_grad()
def convergence(layer: IterativeAttention, x: Annotated[Tensor, "B N C"], steps: int = 100) -> Tensor:
    """Return the mean residual after 0 to ``steps`` steps of the layer's own solver, run on, [steps + 1].

    Raises:
        ValueError: when x does not fit the layer.

    Example:
        >>> from unroll import create
        >>> convergence(create("vars-d", dim=16, heads=2), torch.randn(2, 9, 16), steps=20).shape
        torch.Size([21])
    """
    problem, _ = layer.bind(x)
    return layer.solver.stopped(steps)(problem, trace=True).trace.residual.mean(dim=1)


def _residual(problem: Problem, state: Tensor) -> float:
    return problem.residual(state, problem.step(state, 0)).mean().item()
