"""Where it sits: the models that carry an attention by name, and foreign ones that are made to."""

from unroll.models.augmented import AugmentedBlock, AugmentedConvolution
from unroll.models.block import Block
from unroll.models.mlp import Mlp
from unroll.models.multihead import MultiheadAttention
from unroll.models.norm_block import NormBlock
from unroll.models.swap import Replaced, Swapped, swap
from unroll.models.timeseries import EADCTransformer, SeriesModel, TimeSeriesTransformer
from unroll.models.token_norm import TokenNorm
from unroll.models.vit import ViT

__all__ = [
    "AugmentedBlock",
    "AugmentedConvolution",
    "Block",
    "EADCTransformer",
    "Mlp",
    "MultiheadAttention",
    "NormBlock",
    "Replaced",
    "SeriesModel",
    "Swapped",
    "TimeSeriesTransformer",
    "TokenNorm",
    "ViT",
    "swap",
]
