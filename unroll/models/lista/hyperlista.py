"""HyperLISTA: three numbers in all, and the rest is read off the signal."""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from unroll import validate
from unroll.models.lista.base import CodingNetwork, networks
from unroll.models.lista.steps import CodeSteps, Iterate
from unroll.models.lista.weights import mutual_coherence, symmetric_weight
from unroll.problems import support_threshold


@dataclass(frozen=True, eq=False)
class HyperSteps(CodeSteps):
    """One layer of :class:`HyperLISTA`; the same for every k, but for what the code has become.

    Args:
        weight: W.
        inverse: the pseudo-inverse of A.
        coherence: mu.
        constants: c1, c2, c3.
    """

    weight: Annotated[Tensor, "m n"]
    inverse: Annotated[Tensor, "n m"]
    coherence: Annotated[Tensor, ""]
    constants: Annotated[Tensor, "3"]

    def step(self, state: Iterate, k: int) -> Iterate:
        code, missing = state.code, self.misfit(state.code)
        threshold, momentum, trust = self.constants
        error = (missing @ self.inverse.T).abs().sum(dim=1, keepdim=True)
        momentum = momentum * self.coherence * (code != 0).sum(dim=1, keepdim=True)
        moved = torch.addmm(code, missing, self.weight) + momentum * (code - state.previous)
        with torch.no_grad():
            whole = (self.signals @ self.inverse.T).abs().sum(dim=1)
            tiny = torch.finfo(whole.dtype).tiny
            gained = (whole.clamp_min(tiny) / error[:, 0].clamp_min(tiny)).log()
        trusted = (trust * gained).clamp(0, code.shape[1]).nan_to_num()
        return Iterate(support_threshold(moved, threshold * self.coherence * error, trusted), code)


@networks.register("hyperlista")
class HyperLISTA(CodingNetwork):
    r"""A network whose thresholds, momentum and trust follow from the signal by three learned numbers.

    .. math::
        x_{k+1} = \eta^{p_k}_{\theta_k}\bigl(x_k + W^\top (y - A x_k) + \beta_k (x_k - x_{k-1})\bigr)

        \theta_k = c_1 \mu \|A^+ (A x_k - y)\|_1, \quad \beta_k = c_2 \mu \|x_k\|_0, \quad
        p_k = c_3 \log \frac{\|A^+ y\|_1}{\|A^+ (A x_k - y)\|_1} \text{ within } [0, n]

    with the symmetric weight W = S A and its coherence mu. No quantity of the true code enters, here or in training.
    Nothing in a layer depends on its number, so a trained network can be given any number of layers.

    Args:
        dictionary: A, [m, n].
        layers: number of layers K.
        constants: c1, c2, c3, all at least 0, to set out from.

    Shapes: signals [B, m] to codes [B, n].

    Raises:
        ValueError: as :class:`CodingNetwork`, or when a constant is negative.

    Source: Chen et al. 2021.

    Example:
        >>> network = HyperLISTA(torch.nn.functional.normalize(torch.randn(20, 40), dim=0), layers=8)
        >>> sum(parameter.numel() for parameter in network.parameters())
        3
    """

    def __init__(
        self,
        dictionary: Annotated[Tensor, "m n"],
        layers: int = 16,
        *,
        constants: tuple[float, float, float] = (0.035, 0.015, 12.0),
    ) -> None:
        super().__init__(dictionary, layers)
        for name, constant in zip(("c1", "c2", "c3"), constants, strict=True):
            validate.at_least(name, constant, 0)
        weight = symmetric_weight(self.dictionary)
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("inverse", torch.linalg.pinv(self.dictionary), persistent=False)
        self.register_buffer("coherence", mutual_coherence(self.dictionary, weight), persistent=False)
        self.constants = nn.Parameter(self.dictionary.new_tensor(constants))

    def bind(self, signals: Annotated[Tensor, "B m"]) -> HyperSteps:
        signals = self.check_signals(signals)
        return HyperSteps(self.dictionary, signals, self.weight, self.inverse, self.coherence, self.constants)

    def check_depth(self, depth: int | None) -> int:
        """Return any number of layers, ``layers`` when None: nothing here is learned for a layer of its own."""
        return self.layers if depth is None else validate.count("depth", depth, low=0)
