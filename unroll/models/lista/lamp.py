"""LAMP: approximate message passing, unrolled, with the statistics of the codes learned layer by layer."""

import math
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unroll import validate
from unroll.models.lista.base import CodingNetwork, networks
from unroll.models.lista.steps import CodeSteps, relative_move


class Message(NamedTuple):
    """A code, and what it leaves unexplained, corrected for what it was itself made from."""

    code: Annotated[Tensor, "B n"]
    missing: Annotated[Tensor, "B m"]


@dataclass(frozen=True, eq=False)
class MessageSteps(CodeSteps):
    """One layer of :class:`LAMP`.

    Args:
        noise: alpha, one a layer.
        odds: logarithm of rho / (1 - rho), one a layer.
        variance: s, the variance of the entries that are not zero, one a layer.
    """

    noise: Annotated[Tensor, "K"]
    odds: Annotated[Tensor, "K"]
    variance: Annotated[Tensor, "K"]

    def start(self) -> Message:
        return Message(super().start().code, self.signals)

    def step(self, state: Message, k: int) -> Message:
        guess = torch.addmm(state.code, state.missing, self.dictionary)
        spread = self.noise[k] * state.missing.square().mean(dim=1, keepdim=True)
        code, slope = bernoulli_gauss_mean(guess, spread, self.odds[k], self.variance[k])
        echo = slope.sum(dim=1, keepdim=True) / self.signals.shape[1]
        return Message(code, self.misfit(code) + echo * state.missing)

    def residual(self, state: Message, following: Message) -> Annotated[Tensor, "B"]:
        return relative_move(state.code, following.code)


@networks.register("lamp")
class LAMP(CodingNetwork):
    r"""Approximate message passing with a learned Bernoulli-Gaussian shrinkage, three numbers a layer.

    .. math::
        r_k = x_k + A^\top v_k, \quad \tau_k = \alpha_k \|v_k\|_2^2 / m, \quad x_{k+1} = \eta_k(r_k; \tau_k)

        v_{k+1} = y - A x_{k+1} + \frac1m \sum_i \eta_k'(r_{k,i}; \tau_k)\, v_k

    The last term (Onsager's) keeps the error of r Gaussian, so that a shrinkage made for Gaussian errors is the right
    one: :math:`\eta_k` is the mean of an entry given r, when it is zero with probability 1 - rho and else Gaussian with
    variance s (:func:`bernoulli_gauss_mean`). Its codes are small where they should be zero, never exactly zero.

    Args:
        dictionary: A, [m, n], with columns of length about 1.
        layers: number of layers K.
        density: rho to set out from, between 0 and 1.
        variance: s to set out from.

    Shapes: signals [B, m] to codes [B, n].

    Raises:
        ValueError: as :class:`CodingNetwork`; when the density is not inside 0 and 1, or the variance not above zero.

    Source: Borgerding, Schniter and Rangan 2017 (LAMP; there a matrix is learned in the place of A).

    Example:
        >>> LAMP(torch.nn.functional.normalize(torch.randn(20, 40), dim=0), layers=8)(torch.randn(3, 20)).shape
        torch.Size([3, 40])
    """

    def __init__(
        self, dictionary: Annotated[Tensor, "m n"], layers: int = 16, *, density: float = 0.1, variance: float = 1.0
    ) -> None:
        super().__init__(dictionary, layers)
        if not 0 < density < 1:
            raise ValueError(f"density must lie between 0 and 1, both excluded, got {density!r}")
        validate.positive("variance", variance)
        one_each = self.dictionary.new_ones(layers)
        self.log_noise = nn.Parameter(0 * one_each)
        self.odds = nn.Parameter(math.log(density / (1 - density)) * one_each)
        self.log_variance = nn.Parameter(math.log(variance) * one_each)

    def layered(self) -> list[nn.Parameter]:
        return [self.log_noise, self.odds, self.log_variance]

    def bind(self, signals: Annotated[Tensor, "B m"]) -> MessageSteps:
        return MessageSteps(
            self.dictionary,
            self.check_signals(signals),
            self.log_noise.exp(),
            self.odds,
            self.log_variance.exp(),
        )


def bernoulli_gauss_mean(
    observed: Annotated[Tensor, "B n"],
    spread: Annotated[Tensor, "B 1"],
    odds: Annotated[Tensor, ""],
    variance: Annotated[Tensor, ""],
) -> tuple[Annotated[Tensor, "B n"], Annotated[Tensor, "B n"]]:
    r"""Return the mean of a sparse entry that was observed in Gaussian noise, and its derivative by what was observed.

    .. math::
        \eta(r) = \pi(r) \frac{s}{s + \tau} r, \qquad
        \log\frac{\pi}{1 - \pi} = \log\frac{\rho}{1 - \rho} + \tfrac12 \log\frac{\tau}{s + \tau}
        + \tfrac12 r^2 \Bigl(\frac1\tau - \frac1{s + \tau}\Bigr)

    Args:
        observed: r.
        spread: tau, the variance of the noise.
        odds: logarithm of rho / (1 - rho).
        variance: s.

    Example:
        >>> spread, odds, variance = torch.ones(2, 1), torch.tensor(-2.0), torch.tensor(1.0)
        >>> mean, slope = bernoulli_gauss_mean(torch.zeros(2, 3), spread, odds, variance)
        >>> mean.abs().max(), slope.shape
        (tensor(0.), torch.Size([2, 3]))
    """
    spread = spread.clamp_min(torch.finfo(spread.dtype).tiny ** 0.5)
    total = variance + spread
    sharpness = variance / (spread * total)
    logit = odds + 0.5 * (spread.log() - total.log()) + 0.5 * sharpness * observed.square()
    present = torch.sigmoid(logit)
    shrink = variance / total
    mean = present * shrink * observed
    # sigmoid(-logit) rather than 1 - present, which rounds to zero.
    slope = shrink * present * (1 + F.sigmoid(-logit) * sharpness * observed.square())
    return mean, slope
