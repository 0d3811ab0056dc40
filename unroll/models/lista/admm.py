"""Unrolled ADMM: the classical splitting, with its penalty, threshold and relaxation learned layer by layer."""

import math
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import torch
from torch import Tensor, nn

from unroll import validate
from unroll.models.lista.base import CodingNetwork, networks
from unroll.models.lista.steps import CodeSteps, relative_move
from unroll.problems import soft_threshold


class Split(NamedTuple):
    """A sparse code, and the scaled dual variable that ties it to its smooth copy."""

    code: Annotated[Tensor, "B n"]
    dual: Annotated[Tensor, "B n"]


@dataclass(frozen=True, eq=False)
class ADMMSteps(CodeSteps):
    """One layer of :class:`UnrolledADMM`, in the basis where A A' is diagonal.

    Args:
        spectrum: eigenvalues of A A'; dictionary and signals are already in that basis.
        penalties: rho, one a layer.
        thresholds: theta, one a layer.
        relaxations: alpha, one a layer.
    """

    spectrum: Annotated[Tensor, "m"]
    penalties: Annotated[Tensor, "K"]
    thresholds: Annotated[Tensor, "K"]
    relaxations: Annotated[Tensor, "K"]

    def start(self) -> Split:
        return Split(*super().start())

    def step(self, state: Split, k: int) -> Split:
        penalty, relaxation = self.penalties[k], self.relaxations[k]
        target = penalty * (state.code - state.dual) + self.signals @ self.dictionary
        # Woodbury: (A'A + rho)^-1 b = (b - A' (A A' + rho)^-1 A b) / rho
        inner = (target @ self.dictionary.T) / (self.spectrum + penalty)
        smooth = (target - inner @ self.dictionary) / penalty
        smooth = relaxation * smooth + (1 - relaxation) * state.code
        code = soft_threshold(smooth + state.dual, self.thresholds[k])
        return Split(code, state.dual + smooth - code)

    def residual(self, state: Split, following: Split) -> Annotated[Tensor, "B"]:
        return relative_move(state.code, following.code)


@networks.register("admm")
class UnrolledADMM(CodingNetwork):
    r"""The alternating direction method of multipliers for the lasso, three numbers a layer learned.

    .. math::
        s_{k+1} = (A^\top A + \rho_k)^{-1}\bigl(A^\top y + \rho_k (x_k - u_k)\bigr), \quad
        \hat s = \alpha_k s_{k+1} + (1 - \alpha_k) x_k

        x_{k+1} = \mathrm{soft}_{\theta_k}(\hat s + u_k), \qquad u_{k+1} = u_k + \hat s - x_{k+1}

    With all rho equal, theta = lambda / rho and alpha = 1 it is ADMM itself. A A' is diagonalised once, so that a
    learned rho costs no factorisation.

    Args:
        dictionary: A, [m, n].
        layers: number of layers K.
        weight: lambda to set out from.
        penalty: rho to set out from.

    Shapes: signals [B, m] to codes [B, n].

    Raises:
        ValueError: as :class:`CodingNetwork`, or when lambda or rho is not above zero.

    Source: Boyd et al. 2011 (ADMM for the lasso, over-relaxation); unrolled as in Yang et al. 2016 (ADMM-Net).

    Example:
        >>> UnrolledADMM(torch.eye(4), layers=3)(torch.ones(2, 4)).shape
        torch.Size([2, 4])
    """

    def __init__(
        self, dictionary: Annotated[Tensor, "m n"], layers: int = 16, *, weight: float = 0.1, penalty: float = 1.0
    ) -> None:
        super().__init__(dictionary, layers)
        validate.positive("weight", weight)
        validate.positive("penalty", penalty)
        spectrum, basis = torch.linalg.eigh(self.dictionary.double() @ self.dictionary.double().T)
        self.register_buffer("spectrum", spectrum.to(self.dictionary), persistent=False)
        self.register_buffer("basis", basis.to(self.dictionary), persistent=False)
        self.register_buffer("rotated", self.basis.T @ self.dictionary, persistent=False)
        one_each = self.dictionary.new_ones(layers)
        self.log_penalties = nn.Parameter(math.log(penalty) * one_each)
        self.log_thresholds = nn.Parameter(math.log(weight / penalty) * one_each)
        self.relaxations = nn.Parameter(one_each.clone())

    def layered(self) -> list[nn.Parameter]:
        return [self.log_penalties, self.log_thresholds, self.relaxations]

    def bind(self, signals: Annotated[Tensor, "B m"]) -> ADMMSteps:
        return ADMMSteps(
            self.rotated,
            self.check_signals(signals) @ self.basis,
            self.spectrum,
            self.log_penalties.exp(),
            self.log_thresholds.exp(),
            self.relaxations,
        )
