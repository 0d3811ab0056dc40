"""vit-pytorch's vision transformers: an ``Attention`` with the norm inside."""

import copy

from torch import Tensor, nn

from unroll.attention import Attention
from unroll.models.foreign.base import Affine, Family, Site, Source, is_class, losses

# Every file of that library has an Attention of its own. These compute the same; others gate, rotate, pool or reshape.
_PATHS = frozenset(
    f"vit_pytorch.{file}.Attention"
    for file in (
        "parallel_vit",
        "simple_vit",
        "simple_vit_1d",
        "simple_vit_3d",
        "simple_vit_with_patch_dropout",
        "simple_vit_with_register_tokens",
        "vit",
        "vit_1d",
        "vit_3d",
        "vit_with_patch_dropout",
        "vit_with_patch_merger",
    )
)


class VitPytorchAttention(nn.Module):
    """An attention that is called as ``vit_pytorch.vit.Attention`` is; its norm and the dropout of its output stay."""

    def __init__(self, attention: Attention, replaced: nn.Module) -> None:
        super().__init__()
        # A copy: the replaced module comes back as it was, whatever is trained meanwhile.
        self.norm, self.attention = copy.deepcopy(replaced.norm), attention
        self.dropout = nn.Dropout(sum(part.p for part in replaced.to_out.modules() if isinstance(part, nn.Dropout)))

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.attention(self.norm(x)))


def _recognises(site: Site) -> bool:
    return is_class(site.module, _PATHS)


def _read(site: Site) -> Source:
    module = site.module
    query, key, value = Affine.of(module.to_qkv).split()
    dropout = getattr(module, "dropout", None)
    lost = losses(module, {"norm", "to_qkv", "to_out"}, 0.0 if dropout is None else dropout.p)
    output = Affine.inside(module.to_out, query)
    return Source(module.to_qkv.in_features, module.heads, query, key, value, output, lost, kept=("norm",))


VIT_PYTORCH = Family("vit-pytorch", "Attention in vit, simple_vit and kin", _recognises, _read, VitPytorchAttention)
