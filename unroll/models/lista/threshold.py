"""Learned thresholds, and who is spared them: what ALISTA, LISTA-CP and their kin share."""

import math
from abc import abstractmethod
from typing import Annotated

import torch
from torch import Tensor, nn

from unroll import validate
from unroll.models.lista.base import CodingNetwork
from unroll.models.lista.steps import ThresholdSteps


class ThresholdNetwork(CodingNetwork):
    """Learned thresholds around a weight that the subclass provides.

    What must stay above zero is learned as its logarithm, which ranges freely over the decades that a threshold crosses
    from the first layer to the last.

    Args:
        dictionary: A, [m, n].
        layers: number of layers K.
        threshold: the threshold of the first layer to set out from; that of the last is a tenth of it.
        trusted: most entries that pass a threshold untouched, in per cent of n; 0 for plain soft thresholding.
        growth: how many more are trusted from layer to layer, in per cent of n.
        momentum: learn one momentum a layer.
        adaptive: learn one scale a layer, by which the threshold of an entry sinks as the entry grows.
        learned_steps: learn one step a layer, from ``step`` on; else the weight is taken as it is.
        step: the step to set out from.

    Raises:
        ValueError: as :class:`CodingNetwork`; when a share is not between 0 and 100, or a threshold or step is
            not above zero.
    """

    def __init__(
        self,
        dictionary: Annotated[Tensor, "m n"],
        layers: int,
        *,
        threshold: float,
        trusted: float = 0.0,
        growth: float = 1.2,
        momentum: bool = False,
        adaptive: bool = False,
        learned_steps: bool = True,
        step: float = 1.0,
    ) -> None:
        super().__init__(dictionary, layers)
        validate.positive("step", step)
        validate.positive("threshold", threshold)
        self.trusted = trusted_entries(layers, self.dictionary.shape[1], trusted, growth)
        one_each = self.dictionary.new_ones(layers)
        falling = torch.linspace(0, -math.log(10), layers).to(one_each)
        self.log_thresholds = nn.Parameter(math.log(threshold) + falling)
        self.log_steps = nn.Parameter(math.log(step) * one_each) if learned_steps else None
        self.momentum = nn.Parameter(0.1 * one_each) if momentum else None
        self.log_scales = nn.Parameter(math.log(0.1) * one_each) if adaptive else None

    @property
    @abstractmethod
    def weights(self) -> Annotated[Tensor, "... m n"]:
        """The weight W of every layer, or one for all."""

    def layered(self) -> list[nn.Parameter]:
        learned = (self.log_thresholds, self.log_steps, self.momentum, self.log_scales)
        return [parameter for parameter in learned if parameter is not None]

    def bind(self, signals: Annotated[Tensor, "B m"]) -> ThresholdSteps:
        return ThresholdSteps(
            self.dictionary,
            self.check_signals(signals),
            self.weights,
            None if self.log_steps is None else self.log_steps.exp(),
            self.log_thresholds.exp(),
            self.trusted,
            self.momentum,
            None if self.log_scales is None else self.log_scales.exp(),
        )


def trusted_entries(layers: int, atoms: int, trusted: float, growth: float) -> tuple[int, ...]:
    """Return how many entries each layer spares: ``growth`` per cent more than the one before, ``trusted`` at most.

    Raises:
        ValueError: when a share is not between 0 and 100.
    """
    for name, share in (("trusted", trusted), ("growth", growth)):
        if not 0 <= share <= 100:
            raise ValueError(f"{name} must lie between 0 and 100 per cent, got {share!r}")
    return tuple(math.floor(min(growth * (k + 1), trusted) / 100 * atoms) for k in range(layers))
