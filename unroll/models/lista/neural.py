"""ALISTA whose steps and thresholds are chosen for each signal by a small recurrent network."""

import math
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import torch
from torch import Tensor, nn

from unroll import validate
from unroll.models.lista.base import CodingNetwork, networks
from unroll.models.lista.steps import CodeSteps, relative_move
from unroll.models.lista.threshold import trusted_entries
from unroll.models.lista.weights import analytic_weight
from unroll.problems import support_threshold

Memory = tuple[Annotated[Tensor, "B hidden"], Annotated[Tensor, "B hidden"]]


class Controlled(NamedTuple):
    """A code and what the controller remembers of its course."""

    code: Annotated[Tensor, "B n"]
    memory: Memory


class Controller(nn.Module):
    """An LSTM that is told how much is missing and answers with a step and a threshold.

    Args:
        hidden: width of its memory.
        step: its first answer, whatever it hears; its first threshold is the mean correction.
    """

    def __init__(self, hidden: int, step: float) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.zeros(2, hidden))
        self.cell = nn.LSTMCell(2, hidden)
        self.answer = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 2))
        nn.init.zeros_(self.answer[-1].weight)
        self.answer[-1].bias = nn.Parameter(torch.tensor([math.log(step), 0.0]))

    def start(self, batch: int) -> Memory:
        """Return the memory before the first layer."""
        return self.first[0].expand(batch, -1), self.first[1].expand(batch, -1)

    def forward(self, observed: Annotated[Tensor, "B 2"], memory: Memory) -> tuple[Annotated[Tensor, "B 2"], Memory]:
        memory = self.cell(observed, memory)
        return self.answer(memory[1]), memory


@dataclass(frozen=True, eq=False)
class ControlledSteps(CodeSteps):
    """One layer of :class:`NeurallyAugmentedALISTA`.

    Args:
        weight: W.
        trusted: p, how many entries of each layer pass the threshold untouched.
        controller: chooses the step and the threshold.
    """

    weight: Annotated[Tensor, "m n"]
    trusted: tuple[int, ...]
    controller: Controller

    def start(self) -> Controlled:
        return Controlled(super().start().code, self.controller.start(len(self.signals)))

    def step(self, state: Controlled, k: int) -> Controlled:
        missing = self.misfit(state.code)
        correction = missing @ self.weight
        # Relative to the signal, so that one twice as large gets twice the threshold and the same step.
        observed = torch.cat([_log_ratio(missing, self.signals), _log_ratio(correction, self.signals)], dim=1)
        answer, memory = self.controller(observed, state.memory)
        step, factor = answer.exp().split(1, dim=1)
        threshold = factor * correction.abs().mean(dim=1, keepdim=True)
        return Controlled(support_threshold(state.code + step * correction, threshold, self.trusted[k]), memory)

    def residual(self, state: Controlled, following: Controlled) -> Annotated[Tensor, "B"]:
        return relative_move(state.code, following.code)


@networks.register("na-alista")
class NeurallyAugmentedALISTA(CodingNetwork):
    r"""ALISTA with a step and a threshold of its own for every signal, chosen by an LSTM from how much is missing.

    .. math::
        r_k = y - A x_k, \quad u_k = W^\top r_k, \quad
        x_{k+1} = \eta^{p_k}_{\theta_k}(x_k + \gamma_k u_k), \qquad
        (\gamma_k, \theta_k) = \mathrm{LSTM}(\|r_k\|_1, \|u_k\|_1)

    Here the LSTM reads logarithms relative to the signal, and answers with logarithms of the step and of the threshold
    relative to the mean of :math:`|u_k|`; the release reads standardised norms and answers through a softplus.

    Args:
        dictionary: A, [m, n].
        layers: number of layers K, which share the LSTM.
        hidden: width of its memory.
        trusted: most entries that pass a threshold untouched, in per cent of n.
        growth: how many more are spared from layer to layer, in per cent of n.
        step: gamma to set out from, as for ALISTA.

    Shapes: signals [B, m] to codes [B, n].

    Raises:
        ValueError: as :class:`CodingNetwork`; when hidden is not a whole number above zero, the step not above zero,
            or a share not between 0 and 100.

    Source: Behrens, Sauder and Jung 2021 (NA-ALISTA).

    Example:
        >>> network = NeurallyAugmentedALISTA(torch.nn.functional.normalize(torch.randn(20, 40), dim=0), layers=8)
        >>> network(torch.randn(3, 20)).shape
        torch.Size([3, 40])
    """

    def __init__(
        self,
        dictionary: Annotated[Tensor, "m n"],
        layers: int = 16,
        *,
        hidden: int = 32,
        trusted: float = 13.0,
        growth: float = 1.2,
        step: float = 1.0,
    ) -> None:
        super().__init__(dictionary, layers)
        self.trusted = trusted_entries(layers, self.dictionary.shape[1], trusted, growth)
        self.controller = Controller(validate.count("hidden", hidden), validate.positive("step", step)).to(
            self.dictionary
        )
        self.register_buffer("weight", analytic_weight(self.dictionary), persistent=False)

    def bind(self, signals: Annotated[Tensor, "B m"]) -> ControlledSteps:
        return ControlledSteps(self.dictionary, self.check_signals(signals), self.weight, self.trusted, self.controller)


def _log_ratio(part: Annotated[Tensor, "B p"], whole: Annotated[Tensor, "B m"]) -> Annotated[Tensor, "B 1"]:
    """Return the logarithm of the ratio of two l1 norms, 0 where both vanish."""
    tiny = torch.finfo(part.dtype).eps
    sizes = [norms.abs().sum(dim=1, keepdim=True) for norms in (part, whole)]
    return ((sizes[0] + tiny) / (sizes[1] + tiny)).log()
