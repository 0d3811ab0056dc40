"""Where it sits: the models that carry an attention by name, and foreign ones that are made to."""

from unroll.models.block import Block
from unroll.models.mlp import Mlp
from unroll.models.multihead import MultiheadAttention
from unroll.models.swap import Replaced, Swapped, swap
from unroll.models.vit import ViT

__all__ = ["Block", "Mlp", "MultiheadAttention", "Replaced", "Swapped", "ViT", "swap"]
