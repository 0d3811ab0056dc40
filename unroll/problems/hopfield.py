"""The modern Hopfield network: an energy whose descent step is softmax attention."""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from unroll import validate
from unroll.contracts import Kind, Problem


@dataclass(frozen=True, eq=False)
class Hopfield(Problem):
    r"""Queries fall into the patterns that they resemble.

    .. math::
        E(\xi) = -\tfrac1\beta \ln \sum_j e^{\beta\, x_j^\top \xi} + \tfrac12 |\xi|^2, \qquad
        \mathrm{step}(\xi) = \sum_j \mathrm{softmax}_j(\beta\, x_j^\top \xi)\, x_j

    The step never raises E (it minimises a convex bound on it), but it is not non-expansive everywhere, so the map is
    declared general. One step from the queries is ``scaled_dot_product_attention(q, k, k)`` with beta = D ** -0.5.

    Args:
        patterns: x, stored patterns (keys), [B, ..., N, D].
        queries: where to set out, [B, ..., T, D].
        beta: inverse temperature > 0; D ** -0.5 when None.
        mask: True for patterns that exist, [B, ..., 1, N] or broadcast with it; all when None.

    Raises:
        ValueError: when widths differ or beta is not above zero.

    Source: Ramsauer et al. 2021 (Hopfield Networks is All You Need), eq. 2 and 3.

    Example:
        >>> x = torch.randn(1, 5, 4)
        >>> problem = Hopfield(patterns=x, queries=x)
        >>> attention = torch.nn.functional.scaled_dot_product_attention(x, x, x)
        >>> torch.allclose(problem.step(problem.start(), 0), attention, atol=1e-6)
        True
    """

    patterns: Annotated[Tensor, "B ... N D"]
    queries: Annotated[Tensor, "B ... T D"]
    beta: float | None = None
    mask: Annotated[Tensor, "B ... 1 N"] | None = None

    def __post_init__(self) -> None:
        if self.patterns.shape[-1] != self.queries.shape[-1]:
            raise ValueError(
                f"queries must have width {self.patterns.shape[-1]} as the patterns, got {self.queries.shape[-1]}"
            )
        if self.beta is None:
            object.__setattr__(self, "beta", self.patterns.shape[-1] ** -0.5)
        validate.positive("beta", self.beta)

    @property
    def kind(self) -> Kind:
        return Kind.GENERAL

    def start(self) -> Tensor:
        return self.queries

    def step(self, state: Tensor, k: int) -> Tensor:
        return self.association(state) @ self.patterns

    def association(self, state: Tensor) -> Annotated[Tensor, "B ... T N"]:
        """Return how much each query takes of each pattern: rows sum to 1."""
        return self._logits(state).softmax(dim=-1)

    def energy(self, code: Tensor) -> Annotated[Tensor, "B"]:
        pull = self._logits(code).logsumexp(dim=-1) / self.beta
        return (code.square().sum(-1) / 2 - pull).flatten(1).sum(1)

    def residual(self, state: Tensor, following: Tensor) -> Annotated[Tensor, "B"]:
        r"""Return :math:`|\mathrm{step}(\xi) - \xi|` over the size of the queries."""
        size = self.queries.flatten(1).norm(dim=1).clamp_min(torch.finfo(state.dtype).tiny)
        return (following - state).flatten(1).norm(dim=1) / size

    def _logits(self, state: Tensor) -> Tensor:
        logits = self.beta * state @ self.patterns.mT
        return logits if self.mask is None else logits.masked_fill(~self.mask, torch.finfo(logits.dtype).min)
