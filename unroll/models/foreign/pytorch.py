"""PyTorch's own encoder: ``nn.MultiheadAttention`` inside ``nn.TransformerEncoderLayer``."""

from torch import nn

from unroll.attention import Attention
from unroll.models.foreign.base import Affine, Family, Site, Source, losses
from unroll.models.multihead import MultiheadAttention


def _recognises(site: Site) -> bool:
    return isinstance(site.module, nn.MultiheadAttention) and isinstance(site.owners[-1], nn.TransformerEncoderLayer)


def _read(site: Site) -> Source:
    module = site.module
    query, key, value = Affine(module.in_proj_weight, module.in_proj_bias).split()
    known = {"in_proj_weight", "in_proj_bias", "out_proj"}
    lost = losses(module, known, module.dropout, add_zero_attn=module.add_zero_attn)
    return Source(module.embed_dim, module.num_heads, query, key, value, Affine.of(module.out_proj), lost)


def _host(attention: Attention, replaced: nn.MultiheadAttention) -> MultiheadAttention:
    return MultiheadAttention(attention, batch_first=replaced.batch_first)


PYTORCH = Family("torch", "nn.MultiheadAttention in nn.TransformerEncoderLayer", _recognises, _read, _host)
