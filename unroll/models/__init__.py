"""Where it sits: the models that carry an attention by name."""

from unroll.models.block import Block
from unroll.models.mlp import Mlp
from unroll.models.vit import ViT

__all__ = ["Block", "Mlp", "ViT"]
