"""Hopfield attention: queries fall towards the keys that they resemble before they read the values."""

from collections.abc import Sequence
from typing import Annotated

from torch import Tensor

from unroll import validate
from unroll.attention.base import Traits, hide_tokens
from unroll.attention.iterative import IterativeAttention, Readout, rows_of
from unroll.attention.registry import register
from unroll.problems import Hopfield
from unroll.solvers import Solver, Unrolled


@register("hopfield")
class HopfieldAttention(IterativeAttention):
    r"""Retrieve from the keys, step by step, then read the values with the last association.

    .. math::
        \xi^{(0)} = q, \qquad \xi^{(k+1)} = \mathrm{softmax}\bigl(\beta\, \xi^{(k)} K^\top\bigr) K, \qquad
        y = \mathrm{softmax}\bigl(\beta\, \xi^{(S)} K^\top\bigr) V

    The readout is a step whose patterns are replaced by the values. So ``Unrolled(0)`` is softmax attention, and
    ``Unrolled(S)`` makes S + 1 steps in all; with any other solver the queries settle in an attractor first.

    Args:
        dim: model width C.
        heads: number of heads H.
        solver: how the queries fall; one unrolled step when None.
        beta: inverse temperature > 0; D ** -0.5 when None, as in softmax attention.

    Shapes: [B, N, C] to [B, N, C]; cost grows with the square of N.

    Raises:
        ValueError: on bad settings at construction, or when x or the mask has the wrong shape.

    Source: Ramsauer et al. 2021 (Hopfield Networks is All You Need), eq. 3 and 10.

    Example:
        >>> HopfieldAttention(64, 4)(torch.randn(2, 49, 64)).shape
        torch.Size([2, 49, 64])
    """

    traits = Traits(permutation_equivariant=True, masks=True, exact_gradient=True, compilable=True)

    def __init__(self, dim: int, heads: int, *, solver: Solver | None = None, beta: float | None = None) -> None:
        super().__init__(dim, heads, solver=Unrolled(1) if solver is None else solver, projections=3)
        self.beta = validate.positive("beta", self.head_dim**-0.5 if beta is None else beta)

    def bind(self, x: Tensor, mask: Tensor | None = None, start: Tensor | None = None) -> tuple[Hopfield, Readout]:
        q, k, v = self.project(x, mask)
        heard = None if mask is None else mask[:, None, None, :]
        problem = Hopfield(patterns=k, queries=hide_tokens(q, mask), beta=self.beta, mask=heard)
        return problem, lambda code: problem.association(code) @ v

    def attention_map(
        self, x: Tensor, mask: Tensor | None = None, listeners: Sequence[int] | None = None
    ) -> Annotated[Tensor, "B H N N"]:
        """Return the association of the settled queries with the keys: rows sum to 1.

        ``listeners`` are the tokens whose rows are wanted, all of them if None.

        Raises:
            ValueError: when a listener is none of the tokens.
        """
        problem, _ = self.bind(x, mask)
        association = hide_tokens(problem.association(self.solver(problem).value), mask)
        return association[:, :, rows_of(listeners, x.shape[1])]

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, beta={self.beta:g}, solver={self.solver}"
