"""Hugging Face's vision transformers, ViT and DeiT, as of transformers 5.24."""

from torch import Tensor, nn

from unroll import validate
from unroll.attention import Attention
from unroll.models.foreign.base import Affine, Family, Site, Source, is_class, losses

_PATHS = frozenset(
    {
        "transformers.models.vit.modeling_vit.ViTAttention",
        "transformers.models.deit.modeling_deit.DeiTAttention",
    }
)
_MAPS = ("q_proj", "k_proj", "v_proj", "o_proj")


class HuggingFaceAttention(nn.Module):
    """An attention that is called as ``transformers.models.vit.modeling_vit.ViTAttention`` is.

    The model records attentions from its own class alone: ``attention.attention_map`` gives ours.
    """

    def __init__(self, attention: Attention, replaced: nn.Module) -> None:
        super().__init__()
        self.attention = attention

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        output_hidden_states: object = None,  # the model's own affair
        **others: object,
    ) -> tuple[Tensor, None]:
        validate.absent("attention_mask", attention_mask, "this layer hears every token")
        for name, value in others.items():
            validate.absent(name, value, "the layer put in place of ViTAttention does not know it")
        return self.attention(hidden_states), None


def _recognises(site: Site) -> bool:
    return is_class(site.module, _PATHS)


def _read(site: Site) -> Source:
    module = site.module
    missing = [name for name in _MAPS if not hasattr(module, name)]
    if missing:  # in older releases it is two modules, of other names and another call
        raise ValueError(
            f"{site.name} must hold {', '.join(_MAPS)} as in transformers 5.24, got none of {', '.join(missing)}"
        )
    query, key, value, output = (Affine.of(getattr(module, name)) for name in _MAPS)
    lost = losses(module, set(_MAPS), module.attention_dropout)
    return Source(output.weight.shape[0], module.num_attention_heads, query, key, value, output, lost)


HUGGING_FACE = Family("transformers", "ViTAttention, DeiTAttention", _recognises, _read, HuggingFaceAttention)
