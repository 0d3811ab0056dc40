"""timm's vision transformers: ``timm.layers.attention.Attention``."""

import copy

from torch import Tensor, nn

from unroll import validate
from unroll.attention import Attention
from unroll.models.foreign.base import Affine, Family, Site, Source, is_class, losses

_PATHS = frozenset(
    {
        "timm.layers.attention.Attention",
        "timm.models.vision_transformer.Attention",  # where it stood before 1.0.16
    }
)


class TimmAttention(nn.Module):
    """An attention that is called as ``timm.layers.attention.Attention`` is; the dropout of its output stays."""

    def __init__(self, attention: Attention, replaced: nn.Module) -> None:
        super().__init__()
        self.attention, self.proj_drop = attention, copy.deepcopy(replaced.proj_drop)

    def forward(self, x: Tensor, attn_mask: Tensor | None = None, is_causal: bool = False) -> Tensor:
        validate.absent("attn_mask", attn_mask, "this layer hears every token")
        validate.absent("is_causal", is_causal, "this layer hears every token")
        return self.proj_drop(self.attention(x))


def _recognises(site: Site) -> bool:
    return is_class(site.module, _PATHS)


def _read(site: Site) -> Source:
    module = site.module
    query, key, value = Affine.of(module.qkv).split()
    lost = losses(module, {"qkv", "proj"}, module.attn_drop.p)
    dim = module.qkv.in_features
    if module.proj.out_features != dim:
        raise ValueError(f"{site.name} must return tokens as wide as it takes, {dim}, got {module.proj.out_features}")
    return Source(dim, module.num_heads, query, key, value, Affine.of(module.proj), lost)


TIMM = Family("timm", "timm.layers.Attention", _recognises, _read, TimmAttention)
