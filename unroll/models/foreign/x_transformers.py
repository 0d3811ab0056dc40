"""x-transformers' encoders: ``x_transformers.Attention`` where ``AttentionLayers`` uses it as self-attention."""

import copy

from torch import Tensor, nn
from torch.nn import functional as F

from unroll import validate
from unroll.attention import Attention
from unroll.models.foreign.base import Affine, Family, Site, Source, is_class, losses

_PATHS = frozenset({"x_transformers.x_transformers.Attention"})
# What the layers around an attention would have it do to its logits or values.
_AROUND = ("causal", "rel_pos", "rotary_pos_emb", "polar_pos_emb", "residual_attn", "add_value_residual")
# What an attention may do to its logits, values or output without a parameter that would show it.
_WAYS = ("max_attend_past", "qk_norm", "laser", "orthog_projected_values", "orthog_projected_values_per_head")
_ATTEND_WAYS = ("l2_distance", "selective", "cog_signed", "add_zero_kv", "softclamp_logits", "inverted_attention")


class XTransformersAttention(nn.Module):
    """An attention that is called as ``x_transformers.Attention`` is; the dropout of its output stays.

    The intermediates that it returns are empty: there are no logits, keys or values of softmax attention to hand on.
    """

    def __init__(self, attention: Attention, replaced: nn.Module) -> None:
        super().__init__()
        from x_transformers.attend import Intermediates  # there is a network of theirs, so it can be imported

        self.attention, self.sublayer_dropout = attention, copy.deepcopy(replaced.sublayer_dropout)
        self._intermediates = Intermediates

    def forward(
        self,
        x: Tensor,
        context: Tensor | None = None,
        mask: Tensor | None = None,
        pos: Tensor | None = None,  # means something beside rel_pos alone
        return_intermediates: bool = False,
        **others: object,
    ) -> Tensor | tuple[Tensor, object]:
        validate.absent("context", context, "this is self-attention")
        for name, value in others.items():
            validate.absent(name, value, "the layer put in place of x_transformers.Attention cannot honour it")
        y = self.attention(x, mask)
        if self.sublayer_dropout is not None:
            y = self.sublayer_dropout(y)
        return (y, self._intermediates()) if return_intermediates else y


def _layers(site: Site) -> nn.Module | None:
    """Return the AttentionLayers around a place."""
    around = (owner for owner in reversed(site.owners) if hasattr(owner, "layer_types") and hasattr(owner, "layers"))
    return next(around, None)


def _recognises(site: Site) -> bool:
    layers = _layers(site)
    if layers is None or not is_class(site.module, _PATHS):
        return False
    blocks = (block for kind, (_, block, _) in zip(layers.layer_types, layers.layers, strict=True) if kind == "a")
    return any(part is site.module for block in blocks for part in block.modules())


def _read(site: Site) -> Source:
    module, layers = site.module, _layers(site)
    acting = [name for name in _AROUND if getattr(layers, name, None)]
    if acting:
        raise ValueError(
            f"the layers around {site.name} must use none of {', '.join(_AROUND)}, which act inside an attention, got "
            f"{', '.join(acting)}"
        )
    if module.qkv_receive_diff_residuals:
        raise ValueError(f"{site.name} must take one sequence, got qkv_receive_diff_residuals=True")
    query, key, value = (Affine.of(getattr(module, name)) for name in ("to_q", "to_k", "to_v"))
    ways = {name: getattr(module, name) for name in _WAYS} | {
        name: getattr(module.attend, name) for name in _ATTEND_WAYS
    }
    ways["an activation that is not softmax"] = getattr(module.attend.attn_fn, "func", None) is not F.softmax
    lost = losses(module, {"to_q", "to_k", "to_v", "to_out"}, module.attend.dropout, **ways)
    output = Affine.inside(module.to_out, query)
    return Source(module.to_q.in_features, module.heads, query, key, value, output, lost)


X_TRANSFORMERS = Family("x-transformers", "Attention in Encoder", _recognises, _read, XTransformersAttention)
