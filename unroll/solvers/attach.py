"""Give a value that was found without a graph the gradient that another computation knows."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from unroll.contracts import Problem

Pull = Callable[[Tensor, Problem, Sequence[Tensor]], Sequence[Tensor | None]]


def attach(value: Tensor, problem: Problem, pull: Pull) -> Tensor:
    """Return ``value`` with a backward pass that runs on the problem's leaves and is mapped back to its own tensors.

    Args:
        value: the answer, detached.
        problem: whose tensors get the gradients.
        pull: takes the gradient by the value, the problem on fresh leaves, and those of its tensors that ask for a
            gradient; returns their gradients.

    Raises:
        RuntimeError: in a backward pass with ``create_graph``: there is no second derivative.
    """
    if not any(tensor.requires_grad for tensor in problem.tensors()):
        return value
    return _Attach.apply(value, problem, pull, *problem.tensors())


class _Attach(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, value: Tensor, problem: Problem, pull: Pull, *tensors: Tensor) -> Tensor:
        ctx.problem, ctx.pull = problem, pull
        return value.clone()

    @staticmethod
    def backward(ctx: FunctionCtx, upstream: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "implicit and adjoint gradients have no second derivative (create_graph=True): use Unrolled, or a Flow "
                'with gradient="direct"'
            )
        with torch.enable_grad():
            problem = ctx.problem.leaves()
        leaves = problem.tensors()
        asking = [leaf for leaf in leaves if leaf.requires_grad]
        pulled = dict(zip(map(id, asking), ctx.pull(upstream, problem, asking), strict=True))
        return None, None, None, *(pulled.get(id(leaf)) for leaf in leaves)
