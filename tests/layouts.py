"""Attentions on the layout that timm and vit-pytorch publish: neither installs without torchvision, which we lack.

Written after timm 1.0.31 (``timm.layers.attention``) and vit-pytorch 1.26.11 (``vit_pytorch.vit``): the same names, the
same call, the same numbers.
"""

import torch
from torch import nn
from torch.nn import functional as F


class _TimmAttention(nn.Module):
    def __init__(self, dim, num_heads, qkv_bias=True, qk_norm=False, dim_out=None):
        super().__init__()
        self.num_heads, self.head_dim = num_heads, dim // num_heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.q_norm = nn.LayerNorm(self.head_dim) if qk_norm else nn.Identity()
        self.k_norm = nn.LayerNorm(self.head_dim) if qk_norm else nn.Identity()
        self.attn_drop = nn.Dropout(0.0)
        self.proj = nn.Linear(dim, dim_out or dim)
        self.proj_drop = nn.Dropout(0.0)

    def forward(self, x, attn_mask=None, is_causal=False):
        batch, tokens, dim = x.shape
        q, k, v = self.qkv(x).reshape(batch, tokens, 3, self.num_heads, self.head_dim).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(self.q_norm(q), self.k_norm(k), v, attn_mask=attn_mask, is_causal=is_causal)
        return self.proj_drop(self.proj(y.transpose(1, 2).reshape(batch, tokens, dim)))


class _VitPytorchAttention(nn.Module):
    def __init__(self, dim, heads=8, dim_head=64, dropout=0.0):
        super().__init__()
        inner = heads * dim_head
        self.heads, self.scale = heads, dim_head**-0.5
        self.norm = nn.LayerNorm(dim)
        self.attend, self.dropout = nn.Softmax(dim=-1), nn.Dropout(dropout)
        self.to_qkv = nn.Linear(dim, 3 * inner, bias=False)
        alone = heads == 1 and dim_head == dim
        self.to_out = nn.Identity() if alone else nn.Sequential(nn.Linear(inner, dim), nn.Dropout(dropout))

    def forward(self, x):
        q, k, v = (p.unflatten(-1, (self.heads, -1)).transpose(1, 2) for p in self.to_qkv(self.norm(x)).chunk(3, -1))
        attention = self.dropout(self.attend(q @ k.mT * self.scale))
        return self.to_out((attention @ v).transpose(1, 2).flatten(2))


class _Residual(nn.Module):
    def __init__(self, attn):
        super().__init__()
        self.attn = attn

    def forward(self, x):
        return x + self.attn(x)


def _network(kind, path, *args, **options):
    """Return two residual attentions whose class has the qualified name that the library gives it."""
    attention = type("Attention", (kind,), {"__module__": path})
    return nn.Sequential(*(_Residual(attention(*args, **options)) for _ in range(2)))


def timm(**options):
    return _network(_TimmAttention, "timm.layers.attention", 16, 2, **options)


def vit_pytorch(heads=2, dim_head=8, **options):
    return _network(_VitPytorchAttention, "vit_pytorch.vit", 16, heads, dim_head, **options)


def tokens(dtype=torch.float32):
    """Return nine tokens, those of a grid of 3 x 3."""
    return torch.randn(2, 9, 16, generator=torch.Generator().manual_seed(4)).to(dtype)
