"""Attention that solves a problem: project, bind, solve, read out."""

import copy
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, Self

import torch
from torch import Tensor, nn

from unroll.attention.base import Attention, Carry, hide_tokens
from unroll.contracts import Problem
from unroll.solvers import Solution, Solver, Unrolled

Readout = Callable[[Annotated[Tensor, "B H M D"]], Annotated[Tensor, "B H N D"]]


class IterativeAttention(Attention):
    """The base of attentions that state a problem and let a solver run it.

    A subclass writes :meth:`bind`: it turns tokens into a weight-free problem and a readout that turns the code into
    tokens. Queries and keys are one projection, values the other.

    Args:
        dim: model width C.
        heads: number of heads H.
        solver: how the problem is solved.
        grid: (height, width) of the tokens, for layers that need one.
        projections: 2 for queries (which are the keys too) and values; 1 for values alone; 3 for keys of their own.

    Raises:
        ValueError: when dim is not divisible by heads, or ``solver`` is no solver.

    Example:
        >>> from unroll import IterativeAttention, RandomFeatures, Reconstruction, Ridge, Unrolled
        >>> class RidgeAttention(IterativeAttention):
        ...     def __init__(self, dim, heads, *, solver=Unrolled(5)):
        ...         super().__init__(dim, heads, solver=solver)
        ...         self.features = RandomFeatures(heads, self.head_dim, 8)
        ...     def bind(self, x, mask=None, start=None):
        ...         q, v = self.project(x, mask)
        ...         f = self.features(q)
        ...         return Reconstruction(f.mT @ f, f.mT @ v, Ridge(0.1), start), lambda code: f @ code
        >>> layer, x = RidgeAttention(64, 4), torch.randn(2, 9, 64)
        >>> layer.attention_map(x).shape, layer.solve(x).value.shape
        (torch.Size([2, 4, 9, 9]), torch.Size([2, 4, 8, 16]))
    """

    def __init__(
        self, dim: int, heads: int, *, solver: Solver, grid: tuple[int, int] | None = None, projections: int = 2
    ) -> None:
        super().__init__(dim, heads, grid=grid)
        self._use(solver)
        self.qv = nn.Linear(dim, projections * dim)
        self.output = nn.Linear(dim, dim)

    @abstractmethod
    def bind(
        self,
        x: Annotated[Tensor, "B N C"],
        mask: Annotated[Tensor, "B N"] | None = None,
        start: Annotated[Tensor, "B H M D"] | None = None,
    ) -> tuple[Problem, Readout]:
        """Return the problem that these tokens pose, set out from ``start``, and the readout of its code."""

    def project(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return the projections of the tokens, [B, H, N, D] each; the values come last, and masked ones are zero.

        Raises:
            ValueError: when x or the mask does not fit the layer.
        """
        x = self.check_input(x, mask)
        # One strided copy for all of them, forwards and backwards; the products that follow would make one each.
        parts = self.qv(x).unflatten(-1, (-1, self.heads, self.head_dim)).permute(2, 0, 3, 1, 4).contiguous()
        *others, v = parts.unbind()
        return *others, hide_tokens(v, mask)

    def attend(self, x: Tensor, carry: Carry | None = None, mask: Tensor | None = None) -> tuple[Tensor, Carry | None]:
        problem, readout = self.bind(x, mask, self._start(carry))
        solution = self.solver(problem)
        y = hide_tokens(self.output(self.merge_heads(readout(problem.decode(solution.value)))), mask)
        if self.traits.carries:
            carry = replace(carry or Carry(), code=solution.value)
        return y, carry

    def solve(self, x: Tensor, mask: Tensor | None = None, trace: bool = True) -> Solution:
        """Return the solution of the problem that ``forward`` solves, with the trace of its course.

        Shapes: x [B, N, C]; the value is the code, [B, H, M, D].
        """
        problem, _ = self.bind(x, mask)
        return self.solver(problem, trace=trace)

    def attention_course(
        self, x: Annotated[Tensor, "B N C"], steps: Sequence[int], mask: Annotated[Tensor, "B N"] | None = None
    ) -> Annotated[Tensor, "S B H N N"]:
        """Return the attention map as it stands after each number of solver steps (of a flow: units of time).

        Raises:
            ValueError: when a number of steps is one that the solver refuses.
        """
        stopped = (self.with_solver(self.solver.stopped(count)) for count in steps)
        return torch.stack([layer.attention_map(x, mask).detach() for layer in stopped])

    def with_solver(self, solver: Solver) -> Self:
        """Return a layer that shares all weights with this one and solves its problem another way.

        Raises:
            ValueError: when ``solver`` is no solver; when it is called on a problem that it does not accept.
        """
        other = copy.copy(self)
        other._use(solver)
        other.settings = self.settings | {"solver": solver}
        return other

    def _start(self, carry: Carry | None) -> Tensor | None:
        return carry.code if carry is not None and self.traits.carries else None

    def _use(self, solver: Solver) -> None:
        if not isinstance(solver, Solver):
            raise ValueError(f"solver must be a Solver such as unroll.solvers.Unrolled(5), got {solver!r}")
        self.solver = solver
        # A solver that looks at its residual decides what to do next on the host: only unrolling is one graph.
        compilable = type(self).traits.compilable and isinstance(solver, Unrolled)
        self.traits = replace(self.traits, compilable=compilable)

    def attention_map(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        carry: Carry | None = None,
        listeners: Sequence[int] | None = None,
    ) -> Tensor:
        r"""Return the derivative of output i by value j of the computation actually run, [B, H, N, N]; signed.

        .. math:: A_{ij} = \frac1D \sum_d \frac{\partial\, o_{id}}{\partial\, v_{jd}}

        The templates and the penalty's weight are held fixed; heads are read before the output projection. It is exact
        for problems in Gram form, ``correlation = F'V``: the derivative by the correlation, from one back-propagation
        an output token (one an entry, where the penalty ties columns together), is multiplied by F: by
        ``readout.synthesis`` where the readout has one, else by the readout itself. It needs no graph of the caller's.

        ``listeners`` are the tokens whose rows are wanted, all of them if None: a row costs an N-th of the whole map.

        Raises:
            ValueError: when a listener is none of the tokens.
        """
        with torch.enable_grad():
            problem, readout = self.bind(x.detach(), mask, self._start(carry))
            problem = problem.leaves()
            correlation = problem.correlation.detach().requires_grad_()
            problem = problem.with_correlation(correlation)
            outputs = readout(problem.decode(self.solver(problem).value))
            groups = [slice(None)] if problem.separable else [slice(d, d + 1) for d in range(self.head_dim)]

            def slopes(i: int, group: slice) -> Tensor:
                (slope,) = torch.autograd.grad(outputs[:, :, i, group].sum(), correlation, retain_graph=True)
                return slope[..., group].sum(-1, keepdim=True) / self.head_dim

            rows = [sum(slopes(i, group) for group in groups) for i in rows_of(listeners, outputs.shape[2])]
        with torch.no_grad():
            return getattr(readout, "synthesis", readout)(torch.cat(rows, dim=-1)).mT


def rows_of(listeners: Sequence[int] | None, tokens: int) -> list[int]:
    """Return the rows of a map that are wanted, all of them if ``listeners`` is None.

    Raises:
        ValueError: when a listener is none of the tokens.
    """
    rows = list(range(tokens)) if listeners is None else list(listeners)
    if not rows or not all(0 <= row < tokens for row in rows):
        raise ValueError(f"listeners must be tokens between 0 and {tokens - 1}, at least one, got {listeners!r}")
    return rows
