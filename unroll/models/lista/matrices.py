"""Networks that learn matrices: LISTA as first stated, and LISTA with its weights coupled."""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from unroll import validate
from unroll.models.lista.base import CodingNetwork, networks
from unroll.models.lista.steps import CodeSteps, Iterate
from unroll.models.lista.threshold import ThresholdNetwork
from unroll.models.lista.weights import analytic_weight
from unroll.problems import soft_threshold


@networks.register("lista-cp")
class LISTACP(ThresholdNetwork):
    r"""LISTA with coupled weights: the two matrices of a layer belong together, so one of them is learned.

    .. math:: x_{k+1} = \eta^{p_k}_{\theta_k}\bigl(x_k + W_k^\top (y - A x_k)\bigr)

    Args:
        dictionary: A, [m, n].
        layers: number of layers K.
        start: what W sets out from: "dictionary", A / L with thresholds that fall from 0.4 / L, close to ISTA; or
            "analytic", the weight of ALISTA, where they have a head start.
        tied: one W for all layers, K thresholds.
        trusted: most entries that pass a threshold untouched, in per cent of n; above 0 this is LISTA-CPSS.
        growth: how many more are spared from layer to layer, in per cent of n.

    Shapes: signals [B, m] to codes [B, n].

    Raises:
        ValueError: as :class:`CodingNetwork`, on an unknown start, or when a share is not between 0 and 100.

    Source: Chen et al. 2018 (LISTA-CP, LISTA-CPSS); the release sets out from the dictionary.

    Example:
        >>> network = LISTACP(torch.eye(4), layers=3)
        >>> network.weights.shape, network(torch.ones(2, 4)).shape
        (torch.Size([3, 4, 4]), torch.Size([2, 4]))
    """

    def __init__(
        self,
        dictionary: Annotated[Tensor, "m n"],
        layers: int = 16,
        *,
        start: Literal["dictionary", "analytic"] = "dictionary",
        tied: bool = False,
        trusted: float = 0.0,
        growth: float = 1.2,
    ) -> None:
        validate.choice("start", start, ("dictionary", "analytic"))
        rate = 1 / torch.linalg.matrix_norm(dictionary, ord=2).square().item()
        super().__init__(
            dictionary,
            layers,
            threshold=0.25 if start == "analytic" else 0.4 * rate,
            trusted=trusted,
            growth=growth,
            learned_steps=False,
        )
        first = analytic_weight(self.dictionary) if start == "analytic" else rate * self.dictionary
        self.weight = nn.Parameter(first if tied else first.repeat(layers, 1, 1))

    @property
    def weights(self) -> Annotated[Tensor, "... m n"]:
        return self.weight

    def layered(self) -> list[nn.Parameter]:
        return super().layered() + ([self.weight] if self.weight.ndim == 3 else [])


@dataclass(frozen=True, eq=False)
class MatrixSteps(CodeSteps):
    r"""One layer of LISTA.

    .. math:: x_{k+1} = \mathrm{soft}_{\theta_k}(W^{(1)}_k y + W^{(2)}_k x_k)
    """

    inputs: Annotated[Tensor, "... n m"]
    recurrent: Annotated[Tensor, "... n n"]
    thresholds: Annotated[Tensor, "K"]

    def step(self, state: Iterate, k: int) -> Iterate:
        tied = self.inputs.ndim == 2
        drive = self.signals @ (self.inputs if tied else self.inputs[k]).T
        moved = torch.addmm(drive, state.code, (self.recurrent if tied else self.recurrent[k]).T)
        return Iterate(soft_threshold(moved, self.thresholds[k]), state.code)


@networks.register("lista")
class LISTA(CodingNetwork):
    r"""The learned ISTA: both matrices of a layer and its threshold are free.

    .. math:: x_{k+1} = \mathrm{soft}_{\theta_k}(W^{(1)}_k y + W^{(2)}_k x_k)

    It sets out from ISTA itself, :math:`W^{(1)} = A^\top / L`, :math:`W^{(2)} = I - A^\top A / L`, and a threshold of
    0.4 / L.

    Args:
        dictionary: A, [m, n].
        layers: number of layers K.
        tied: the same two matrices in all layers, as first stated; else two each.

    Shapes: signals [B, m] to codes [B, n].

    Raises:
        ValueError: as :class:`CodingNetwork`.

    Source: Gregor and LeCun 2010.

    Example:
        >>> LISTA(torch.eye(4), layers=3, tied=True)(torch.ones(2, 4)).shape
        torch.Size([2, 4])
    """

    def __init__(self, dictionary: Annotated[Tensor, "m n"], layers: int = 16, *, tied: bool = False) -> None:
        super().__init__(dictionary, layers)
        rate = 1 / self.lipschitz
        inputs = rate * self.dictionary.T
        recurrent = torch.eye(len(inputs)).to(inputs) - inputs @ self.dictionary
        self.inputs = nn.Parameter(inputs if tied else inputs.repeat(layers, 1, 1))
        self.recurrent = nn.Parameter(recurrent if tied else recurrent.repeat(layers, 1, 1))
        self.log_thresholds = nn.Parameter((0.4 * rate).log().repeat(layers))

    def layered(self) -> list[nn.Parameter]:
        return [self.log_thresholds] + ([self.inputs, self.recurrent] if self.inputs.ndim == 3 else [])

    def bind(self, signals: Annotated[Tensor, "B m"]) -> MatrixSteps:
        signals = self.check_signals(signals)
        return MatrixSteps(self.dictionary, signals, self.inputs, self.recurrent, self.log_thresholds.exp())
