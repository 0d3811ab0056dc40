"""The rules of the attention contract. Each measures one promise; the number must not exceed the rule's tolerance."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from unroll.attention.base import Attention, Carry, Traits
from unroll.attention.iterative import IterativeAttention
from unroll.registry import Registry

Measure = Callable[[Attention, Tensor], float]


@dataclass(frozen=True)
class Rule:
    """What a rule measures on a float64 layer in evaluation mode, for whom, what passes, what to do when it fails."""

    measure: Measure
    applies: Callable[[Traits], bool]
    tolerance: float
    remedy: str


rules: Registry[Rule] = Registry("rule")


def _rule(
    name: str, remedy: str, *, tolerance: float = 1e-9, applies: Callable[[Traits], bool] = lambda traits: True
) -> Callable[[Measure], Measure]:
    def file(measure: Measure) -> Measure:
        rules.register(name)(Rule(measure, applies, tolerance, remedy))
        return measure

    return file


@_rule("shapes", "return one token a token, [B, N, C], and a map [B, heads or 1, N, N]", tolerance=0)
def shapes(layer: Attention, x: Tensor) -> float:
    samples, tokens, _ = x.shape
    maps = [(samples, heads, tokens, tokens) for heads in (1, layer.heads)]
    return float(layer(x).shape != x.shape) + float(layer.attention_map(x).shape not in maps)


@_rule(
    "dtype",
    "make new tensors follow x: x.new_zeros, zeros_like, buffers; promote inside where bfloat16 is not enough",
    tolerance=0,
)
def dtype(layer: Attention, x: Tensor) -> float:
    wrong = 0
    for kind in (torch.float64, torch.float32, torch.bfloat16):
        y = copy.deepcopy(layer).to(kind)(x.to(kind))
        wrong += y.dtype != kind or not torch.isfinite(y).all()
    return float(wrong)


@_rule("forward is attend", "let forward return the tokens of attend, and nothing else compute them", tolerance=0)
def forward_is_attend(layer: Attention, x: Tensor) -> float:
    y, _ = layer.attend(x)
    return _gap(layer(x), y)


@_rule("solve is forward", "solve the problem of bind in both, with the same solver", tolerance=0)
def solve_is_forward(layer: Attention, x: Tensor) -> float:
    if not isinstance(layer, IterativeAttention):
        return 0.0
    problem, readout = layer.bind(x)
    tokens = readout(problem.decode(layer.solve(x).value))
    return _gap(layer(x), layer.output(layer.merge_heads(tokens)))


@_rule("determinism", "draw random numbers in the constructor and keep them in a buffer", tolerance=0)
def determinism(layer: Attention, x: Tensor) -> float:
    return _gap(layer(x), layer(x))


@_rule("batch independence", "reduce over tokens and channels, never over dimension 0", tolerance=1e-10)
def batch_independence(layer: Attention, x: Tensor) -> float:
    return _gap(layer(x), torch.cat([layer(sample) for sample in x.split(1)]))


@_rule("NaN stays in its sample", "keep samples apart in every solve, norm and maximum", tolerance=1e-10)
def nan_isolation(layer: Attention, x: Tensor) -> float:
    spoiled = x.clone()
    spoiled[0, 0] = float("nan")
    return _gap(layer(spoiled)[1:], layer(x)[1:])


@_rule(
    "permutation equivariance",
    "use no positions, or declare permutation_equivariant=False",
    applies=lambda traits: traits.permutation_equivariant,
)
def permutation_equivariance(layer: Attention, x: Tensor) -> float:
    order = torch.arange(x.shape[1], device=x.device).flip(0).roll(1)
    return _gap(layer(x[:, order]), layer(x)[:, order])


@_rule(
    "mask equals the shorter sequence",
    "drop masked tokens from keys, normalisation, dictionary and output (attention.hide_tokens)",
    applies=lambda traits: traits.masks,
)
def mask_is_shorter(layer: Attention, x: Tensor) -> float:
    tokens = x.shape[1]
    mask = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
    mask[1, tokens - 2 :] = False
    mask[2, [0, tokens // 2]] = False
    spoiled = x.masked_fill(~mask[:, :, None], float("nan"))
    masked, maps = layer(spoiled, mask), layer.attention_map(spoiled, mask)
    worst = [masked[~mask].abs().max().item(), maps.masked_fill(mask[:, None, None, :], 0).abs().max().item()]
    for sample, kept in enumerate(mask):
        short = x[sample : sample + 1, kept]
        worst.append(_gap(masked[sample, kept], layer(short)[0]))
        worst.append(_gap(maps[sample][:, kept][:, :, kept], layer.attention_map(short)[0]))
    return max(float("inf") if gap != gap else gap for gap in worst)  # NaN is no small gap


@_rule("carry", "write your own field with dataclasses.replace and pass the others on", tolerance=0)
def carry(layer: Attention, x: Tensor) -> float:
    """A layer that carries nothing hands on what it was given; one that does keeps at least one field of two."""
    samples, tokens, _ = x.shape
    logits = x.new_zeros(samples, layer.heads, tokens, tokens)
    _, first = layer.attend(x)
    code = first.code if layer.traits.carries and first is not None else x.new_zeros(1)
    given = Carry(logits=logits, code=code)
    _, returned = layer.attend(x, given)
    if not layer.traits.carries:
        return float(returned is not given)
    return float(returned is None or (returned.logits is not logits and returned.code is not code))


@_rule("no silent mask", "let check_input see the mask", tolerance=0, applies=lambda traits: not traits.masks)
def mask_is_refused(layer: Attention, x: Tensor) -> float:
    return _accepts(layer, x, torch.ones(x.shape[:2], dtype=torch.bool, device=x.device))


@_rule("wrong width is refused", "call check_input(x, mask) first", tolerance=0)
def width_is_refused(layer: Attention, x: Tensor) -> float:
    return _accepts(layer, torch.cat([x, x[..., :1]], dim=-1), None)


@_rule(
    "gradient by the input",
    "differentiate all that depends on x, or declare exact_gradient=False",
    tolerance=0,
    applies=lambda traits: traits.exact_gradient,
)
def input_gradient(layer: Attention, x: Tensor) -> float:
    few = x[:2].detach().requires_grad_()
    return float(not torch.autograd.gradcheck(layer, few, raise_exception=False))


@_rule("every parameter learns", "use it, or remove it", tolerance=0)
def parameters_learn(layer: Attention, x: Tensor) -> float:
    learning = {name: p for name, p in layer.named_parameters() if p.requires_grad}
    if not learning:
        return 0.0
    # A random direction, since the sum of the outputs may be blind to a parameter.
    towards = torch.randn(x.shape, generator=torch.Generator().manual_seed(0), dtype=x.dtype).to(x.device)
    gradients = torch.autograd.grad((layer(x) * towards).sum(), learning.values(), allow_unused=True)
    return float(sum(gradient is None or not gradient.abs().sum() > 0 for gradient in gradients))


@_rule("state dict", "register what decides the output as a parameter or a persistent buffer", tolerance=0)
def state_dict(layer: Attention, x: Tensor) -> float:
    other = copy.deepcopy(layer)
    with torch.no_grad():
        for tensor in [*other.parameters(), *other.buffers()]:
            if tensor.is_floating_point():
                tensor.add_(1)
    other.load_state_dict(layer.state_dict())
    return _gap(layer(x), other(x))


def _gap(a: Tensor, b: Tensor) -> float:
    """Return the largest difference; infinite when the shapes differ or a number is not finite."""
    if a.shape != b.shape or not (torch.isfinite(a).all() and torch.isfinite(b).all()):
        return float("inf")
    return (a - b).abs().max().item()


def _accepts(layer: Attention, x: Tensor, mask: Tensor | None) -> float:
    """Return 1 when the call goes through or fails in any other way than with ValueError."""
    try:
        layer(x, mask)
    except ValueError:
        return 0.0
    except Exception:
        return 1.0
    return 1.0
