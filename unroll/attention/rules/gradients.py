"""Rules about gradients: exact where that is declared, and none missing."""

import torch
from torch import Tensor
from torch.func import functional_call

from unroll.attention.base import Attention
from unroll.attention.rules.base import rules

_REMEDY = "or declare exact_gradient=False"


@rules.rule("gradient by the input", f"differentiate all that depends on x, {_REMEDY}")
def input_gradient(layer: Attention, x: Tensor) -> float | str:
    if not layer.traits.exact_gradient:
        return "exact_gradient is not declared"
    one = x[:1].detach().requires_grad_()  # that samples are independent is a rule of its own
    return float(not torch.autograd.gradcheck(layer, one, raise_exception=False))


@rules.rule("gradient by the parameters", f"differentiate all that depends on a parameter, {_REMEDY}")
def parameter_gradient(layer: Attention, x: Tensor) -> float | str:
    """Along random directions: a full check would take a forward pass for every single weight."""
    learning = _learning(layer)
    if not (layer.traits.exact_gradient and learning):
        return "no parameters" if layer.traits.exact_gradient else "exact_gradient is not declared"

    def call(*weights: Tensor) -> Tensor:
        return functional_call(layer, dict(zip(learning, weights, strict=True)), x[:1])

    weights = [p.detach().clone().requires_grad_() for p in learning.values()]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # of the directions
        return float(not torch.autograd.gradcheck(call, weights, raise_exception=False, fast_mode=True))


@rules.rule("every parameter learns", "use it, or remove it")
def parameters_learn(layer: Attention, x: Tensor) -> float | str:
    learning = _learning(layer)
    if not learning:
        return "no parameters"
    # A random direction, since the sum of the outputs may be blind to a parameter.
    towards = torch.randn(x.shape, generator=torch.Generator().manual_seed(0), dtype=x.dtype).to(x.device)
    gradients = torch.autograd.grad((layer(x) * towards).sum(), learning.values(), allow_unused=True)
    return float(sum(gradient is None or not gradient.abs().sum() > 0 for gradient in gradients))


def _learning(layer: Attention) -> dict[str, Tensor]:
    return {name: p for name, p in layer.named_parameters() if p.requires_grad}
