"""The step that most of the family shares: a weighted correction, momentum, and a threshold."""

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import torch
from torch import Tensor

from unroll.contracts import Kind, Problem
from unroll.problems import support_threshold


class Iterate(NamedTuple):
    """A code and the one before it."""

    code: Annotated[Tensor, "B n"]
    previous: Annotated[Tensor, "B n"]


@dataclass(frozen=True, eq=False)
class CodeSteps(Problem):
    """The base of step-indexed problems on codes [B, n] that remember one code back.

    Args:
        dictionary: A.
        signals: y.
    """

    dictionary: Annotated[Tensor, "m n"]
    signals: Annotated[Tensor, "B m"]

    @property
    def kind(self) -> Kind:
        return Kind.STEP_INDEXED

    def start(self) -> Iterate:
        zero = self.signals.new_zeros(len(self.signals), self.dictionary.shape[1])
        return Iterate(zero, zero)

    def decode(self, state: Iterate) -> Annotated[Tensor, "B n"]:
        return state.code

    def residual(self, state: Iterate, following: Iterate) -> Annotated[Tensor, "B"]:
        """Return how far a layer moves the code, relative to where it arrives: no energy says what is left to do."""
        return relative_move(state.code, following.code)

    def misfit(self, code: Annotated[Tensor, "B n"]) -> Annotated[Tensor, "B m"]:
        """Return what a code leaves unexplained, y - A x."""
        return torch.addmm(self.signals, code, self.dictionary.T, alpha=-1)


@dataclass(frozen=True, eq=False)
class ThresholdSteps(CodeSteps):
    r"""One layer of LISTA-CP, ALISTA and their kin.

    .. math::
        x_{k+1} = \eta^{p_k}_{t_k}\bigl(x_k + \gamma_k W_k^\top (y - A x_k) + \beta_k (x_k - x_{k-1})\bigr),
        \qquad t_{k,i} = \theta_k / (1 + |x_{k,i}| / \epsilon_k)

    Args:
        weights: W, one for all layers or one each.
        steps: gamma, one a layer; None for 1.
        thresholds: theta, one a layer.
        trusted: p, how many entries of each layer pass the threshold untouched.
        momentum: beta, one a layer; None for none.
        scales: epsilon, one a layer: what is large already is thresholded less; None for one threshold for all.
    """

    weights: Annotated[Tensor, "... m n"]
    steps: Annotated[Tensor, "K"] | None
    thresholds: Annotated[Tensor, "K"]
    trusted: tuple[int, ...]
    momentum: Annotated[Tensor, "K"] | None = None
    scales: Annotated[Tensor, "K"] | None = None

    def step(self, state: Iterate, k: int) -> Iterate:
        code = state.code
        weight = self.weights if self.weights.ndim == 2 else self.weights[k]
        missing = self.misfit(code) if self.steps is None else self.steps[k] * self.misfit(code)
        moved = torch.addmm(code, missing, weight)
        if self.momentum is not None:
            moved = moved + self.momentum[k] * (code - state.previous)
        threshold = self.thresholds[k]
        if self.scales is not None:
            threshold = threshold / (1 + code.abs() / self.scales[k])
        return Iterate(support_threshold(moved, threshold, self.trusted[k]), code)


def relative_move(code: Annotated[Tensor, "B ..."], following: Annotated[Tensor, "B ..."]) -> Annotated[Tensor, "B"]:
    """Return the distance between two codes of each sample, relative to the size of the second."""
    size = following.flatten(1).norm(dim=1)
    return (following - code).flatten(1).norm(dim=1) / size.clamp_min(torch.finfo(size.dtype).tiny)
