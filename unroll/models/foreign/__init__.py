"""Foreign networks whose self-attention can be replaced: one file a library, none of which need be installed."""

from unroll.models.foreign.base import Affine, Family, Site, Source
from unroll.models.foreign.hugging_face import HUGGING_FACE
from unroll.models.foreign.pytorch import PYTORCH
from unroll.models.foreign.timm import TIMM
from unroll.models.foreign.vit_pytorch import VIT_PYTORCH
from unroll.models.foreign.x_transformers import X_TRANSFORMERS

FAMILIES = (PYTORCH, HUGGING_FACE, TIMM, X_TRANSFORMERS, VIT_PYTORCH)

__all__ = ["FAMILIES", "Affine", "Family", "Site", "Source"]
