"""Where it sits: the models that carry an attention by name, and foreign ones that are made to."""

from unroll.models.augmented import AugmentedBlock, AugmentedConvolution
from unroll.models.block import Block
from unroll.models.conditional_positions import ConditionalPositions
from unroll.models.convolutional_embedding import ConvolutionalEmbedding
from unroll.models.image_model import ImageModel
from unroll.models.mlp import Mlp
from unroll.models.multihead import MultiheadAttention
from unroll.models.norm_block import NormBlock
from unroll.models.pervit import PerViT, Stages
from unroll.models.series_model import SeriesModel
from unroll.models.swap import Replaced, Swapped, swap
from unroll.models.timeseries import EADCTransformer, TimeSeriesTransformer
from unroll.models.token_norm import TokenNorm
from unroll.models.vit import ViT

__all__ = [
    "AugmentedBlock",
    "AugmentedConvolution",
    "Block",
    "ConditionalPositions",
    "ConvolutionalEmbedding",
    "EADCTransformer",
    "ImageModel",
    "Mlp",
    "MultiheadAttention",
    "NormBlock",
    "PerViT",
    "Replaced",
    "SeriesModel",
    "Stages",
    "Swapped",
    "TimeSeriesTransformer",
    "TokenNorm",
    "ViT",
    "swap",
]
