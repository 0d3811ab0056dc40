"""Networks that learn a few numbers a layer around a weight that is given: learned steps, and ALISTA."""

from typing import Annotated

import torch
from torch import Tensor

from unroll.models.lista.base import networks
from unroll.models.lista.threshold import ThresholdNetwork
from unroll.models.lista.weights import analytic_weight


@networks.register("step-lista")
class StepLISTA(ThresholdNetwork):
    r"""ISTA with a learned step and a learned threshold in every layer.

    .. math:: x_{k+1} = \mathrm{soft}_{\theta_k}\bigl(x_k + \gamma_k A^\top (y - A x_k)\bigr)

    Args:
        dictionary: A, [m, n].
        layers: number of layers K; two numbers each.

    Shapes: signals [B, m] to codes [B, n].

    Raises:
        ValueError: as :class:`CodingNetwork`.

    Source: Ablin et al. 2019 (SLISTA), here with the threshold learned apart from the step.

    Example:
        >>> StepLISTA(torch.eye(4), layers=3)(torch.ones(2, 4)).shape
        torch.Size([2, 4])
    """

    def __init__(self, dictionary: Annotated[Tensor, "m n"], layers: int = 16) -> None:
        step = 1 / torch.linalg.matrix_norm(dictionary, ord=2).square().item()
        super().__init__(dictionary, layers, threshold=0.4 * step, step=step)

    @property
    def weights(self) -> Annotated[Tensor, "m n"]:
        return self.dictionary


@networks.register("alista")
class ALISTA(ThresholdNetwork):
    r"""LISTA whose weight is not learned but solved for; two numbers a layer are left to learn.

    .. math::
        x_{k+1} = \eta^{p_k}_{\theta_k}\bigl(x_k + \gamma_k W^\top (y - A x_k)\bigr),
        \qquad W = \arg\min \|W^\top A\|_F^2 \text{ with } w_i^\top a_i = 1

    where :math:`\eta^p` spares the p largest entries (:func:`unroll.problems.support_threshold`).

    Args:
        dictionary: A, [m, n].
        layers: number of layers K.
        trusted: most entries that are spared, in per cent of n.
        growth: how many more are spared from layer to layer, in per cent of n.
        momentum: add :math:`\beta_k (x_k - x_{k-1})`, with beta learned.
        adaptive: let the threshold of an entry sink as the entry grows,
            :math:`\theta_k / (1 + |x_{k,i}| / \epsilon_k)`, with epsilon learned.
        step: gamma to set out from. 1 suits a Gaussian dictionary; one whose atoms are alike needs less, or the first
            codes explode and nothing can be learned from them.

    Shapes: signals [B, m] to codes [B, n].

    Raises:
        ValueError: as :class:`CodingNetwork`; when a share is not between 0 and 100, or the step not above zero.

    Source: Liu et al. 2019 (ALISTA); support selection by Chen et al. 2018; the adaptive threshold is the one that
    the release of Behrens et al. 2021 compares itself with (there epsilon is 0.1); momentum as in Chen et al. 2021.

    Example:
        >>> network = ALISTA(torch.nn.functional.normalize(torch.randn(20, 40), dim=0), layers=8)
        >>> network(torch.randn(3, 20), depth=5).shape
        torch.Size([3, 40])
    """

    def __init__(
        self,
        dictionary: Annotated[Tensor, "m n"],
        layers: int = 16,
        *,
        trusted: float = 13.0,
        growth: float = 1.2,
        momentum: bool = False,
        adaptive: bool = False,
        step: float = 1.0,
    ) -> None:
        super().__init__(
            dictionary,
            layers,
            threshold=0.25,
            trusted=trusted,
            growth=growth,
            momentum=momentum,
            adaptive=adaptive,
            step=step,
        )
        self.register_buffer("weight", analytic_weight(self.dictionary), persistent=False)

    @property
    def weights(self) -> Annotated[Tensor, "m n"]:
        return self.weight
