"""Unrolled networks: sparse coding algorithms that were stopped after a few steps, and learned."""

from unroll.models.lista.admm import UnrolledADMM
from unroll.models.lista.base import CodingNetwork, networks
from unroll.models.lista.convolutional import ConvolutionalLISTA
from unroll.models.lista.hyperlista import HyperLISTA
from unroll.models.lista.lamp import LAMP, bernoulli_gauss_mean
from unroll.models.lista.matrices import LISTA, LISTACP
from unroll.models.lista.neural import NeurallyAugmentedALISTA
from unroll.models.lista.scalar import ALISTA, StepLISTA
from unroll.models.lista.weights import analytic_weight, mutual_coherence, symmetric_weight

__all__ = [
    "ALISTA",
    "LAMP",
    "LISTA",
    "LISTACP",
    "CodingNetwork",
    "ConvolutionalLISTA",
    "HyperLISTA",
    "NeurallyAugmentedALISTA",
    "StepLISTA",
    "UnrolledADMM",
    "analytic_weight",
    "bernoulli_gauss_mean",
    "mutual_coherence",
    "networks",
    "symmetric_weight",
]
