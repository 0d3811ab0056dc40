"""Sparse reconstruction in Gram form: the problem behind VARS and behind classical sparse coding."""

from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

import torch
from torch import Tensor

from unroll import validate
from unroll.contracts import Kind, Problem
from unroll.problems.bounds import row_sum
from unroll.problems.ista import unrolled_ista
from unroll.problems.penalties import L1
from unroll.problems.penalty import Penalty


@dataclass(frozen=True, eq=False)
class Reconstruction(Problem):
    r"""Reconstruct values V from templates F at a price: only ``gram = F'F`` and ``correlation = F'V`` are kept.

    .. math::
        E(z) = \tfrac12 \langle z, G z \rangle - \langle c, z \rangle + \lambda\, p(z),
        \qquad \mathrm{step}(z) = \mathrm{prox}_{p \lambda / L}\bigl(z - (G z - c) / L\bigr)

    E is :math:`\tfrac12 |V - F z|^2 + \lambda p(z)` less the constant :math:`\tfrac12 |V|^2`. Steps never raise
    the energy when L is at least the largest eigenvalue of G.

    Args:
        gram: G, [..., M, M], broadcast over the leading dimensions of the correlation.
        correlation: c, [B, ..., M, D]: sample first, then any further dimensions, atoms, columns.
        penalty: p and its weight lambda.
        initial: the code to set out from, shaped as the correlation; None leaves it to ``origin``.
        lipschitz: L, [B, ...] or broadcast with it, of the gram's dtype; the row-sum bound when None.
        origin: "zero", or "correlation" to set out from ``prox(c)`` as the VARS release does.
        symmetric: False says that G is not of the form F'F (a learned factor on each side, as published): then
            there is no energy, and solvers that need one refuse.

    Raises:
        ValueError: when the shapes do not fit together, or on an unknown origin.

    Source: Shi et al. 2022 (VARS); Beck and Teboulle 2009, eq. 1.4 (ISTA).

    Example:
        >>> from unroll.problems import L1
        >>> problem = Reconstruction(torch.eye(2), torch.tensor([[[3.0], [0.5]]]), L1(1.0))
        >>> problem.step(problem.start(), 0).flatten()
        tensor([2., 0.])
    """

    gram: Annotated[Tensor, "... M M"]
    correlation: Annotated[Tensor, "B ... M D"]
    penalty: Penalty
    initial: Annotated[Tensor, "B ... M D"] | None = None
    lipschitz: Annotated[Tensor, "..."] | None = None
    origin: Literal["zero", "correlation"] = "zero"
    symmetric: bool = True
    # The step folded into one product and one sum: z - (G z - c) / L = transition z + drive.
    _rate: Tensor = field(init=False, repr=False)
    _transition: Tensor = field(init=False, repr=False)
    _drive: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.penalty, Penalty):
            raise ValueError(f"penalty must be a Penalty such as unroll.problems.L1(0.1), got {self.penalty!r}")
        _check_shapes(self.gram, self.correlation, self.initial)
        _check_broadcast("lipschitz", self.lipschitz, self.correlation[..., 0, 0])
        _check_broadcast("weight (lambda)", self.penalty.weight, self.correlation)
        validate.choice("origin", self.origin, ("zero", "correlation"))
        bound = row_sum(self.gram) if self.lipschitz is None else self.lipschitz
        # An all-zero Gram (every token masked) has L = 0; any other L is then safe.
        rate = torch.where(bound == 0, 1, bound).reciprocal()[..., None, None]
        identity = torch.eye(self.gram.shape[-1], dtype=self.gram.dtype, device=self.gram.device)
        object.__setattr__(self, "_rate", rate)
        object.__setattr__(self, "_transition", identity - self.gram * rate)
        object.__setattr__(self, "_drive", self.correlation * rate)

    def with_correlation(self, correlation: Tensor) -> "Reconstruction":
        """Return the same problem for other values."""
        return replace(self, correlation=correlation)

    @property
    def separable(self) -> bool:
        """Whether the columns of the code do not meddle with each other."""
        return self.penalty.separable

    @property
    def kind(self) -> Kind:
        return Kind.PROXIMAL if self.symmetric and self.penalty.proximal else Kind.GENERAL

    def start(self) -> Tensor:
        if self.initial is not None:
            return self.initial
        if self.origin == "correlation":
            return self.penalty.prox(self.correlation, 1.0)
        return torch.zeros_like(self.correlation)

    def step(self, state: Tensor, k: int) -> Tensor:
        return self.penalty.prox(_apply(self._transition, state, self._drive), self._rate)

    def iterate(self, steps: int) -> Tensor:
        one_each = self._transition.shape[:-2] == self.correlation.shape[:-2]
        if not (steps and one_each and type(self.penalty) is L1):
            return super().iterate(steps)
        from_zero = self.initial is None and self.origin == "zero"
        start = None if from_zero else self.start()
        return unrolled_ista(self._transition, self._drive, self.penalty.weight * self._rate, steps, start)

    def energy(self, code: Tensor) -> Annotated[Tensor, "B"] | None:
        if self.kind is not Kind.PROXIMAL:
            return None
        quadratic = (code * (_apply(self.gram, code) / 2 - self.correlation)).flatten(1).sum(1)
        return quadratic + self.penalty.value(code)

    def residual(self, state: Tensor, following: Tensor) -> Annotated[Tensor, "B"]:
        r"""Return :math:`L\,|\mathrm{step}(z) - z| / |c|` of each sample: zero exactly at a fixed point."""
        moved = ((following - state) / self._rate).flatten(1).norm(dim=1)
        return moved / self.correlation.flatten(1).norm(dim=1).clamp_min(torch.finfo(state.dtype).tiny)


def _apply(
    matrix: Annotated[Tensor, "... M M"], state: Annotated[Tensor, "B ... M D"], offset: Tensor | None = None
) -> Tensor:
    """Return matrix @ state + offset, in one product where shapes allow.

    A matrix that all samples share is applied to all of them at once; one a sample takes the offset along.
    """
    if matrix.ndim == 2:
        product = (state.mT @ matrix.mT).mT
    elif offset is not None and matrix.shape[:-2] == state.shape[:-2]:
        batched = (part.flatten(0, -3) for part in (offset, matrix, state))
        return torch.baddbmm(*batched).view_as(state)
    else:
        product = matrix @ state
    return product if offset is None else product + offset


def _check_shapes(gram: Tensor, correlation: Tensor, initial: Tensor | None) -> None:
    validate.square("gram", gram)
    if correlation.ndim < 3 or correlation.shape[-2] != gram.shape[-1]:
        raise ValueError(
            f"correlation must have shape [B, ..., M, D] with M = {gram.shape[-1]} atoms as in gram, "
            f"got {list(correlation.shape)}"
        )
    if not _broadcasts(gram.shape[:-2], correlation.shape[:-2]):
        raise ValueError(
            f"gram must broadcast over the leading dimensions of correlation {list(correlation.shape)}, "
            f"got {list(gram.shape)}"
        )
    if initial is not None:
        validate.shape("initial", initial, tuple(correlation.shape))


def _check_broadcast(name: str, value: object, like: Tensor) -> None:
    """Raise ValueError unless a tensor broadcasts with ``like`` without enlarging it; other values pass."""
    if not isinstance(value, Tensor):
        if name == "lipschitz" and value is not None:
            raise ValueError(f"lipschitz must be a tensor, got {value!r}")
        return
    if value.dtype != like.dtype or not _broadcasts(value.shape, like.shape):
        raise ValueError(
            f"{name} must be {like.dtype} and broadcast with {list(like.shape)}, got {value.dtype} {list(value.shape)}"
        )


def _broadcasts(shape: torch.Size, onto: torch.Size) -> bool:
    pairs = zip(reversed(shape), reversed(onto), strict=False)
    return len(shape) <= len(onto) and all(ours in (1, theirs) for ours, theirs in pairs)
