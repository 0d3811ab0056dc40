"""Kernel attention: softmax's kernel replaced by random features, so that the cost is linear in tokens."""

from torch import Tensor, nn

from unroll.attention.base import Attention, Carry, Traits, hide_tokens
from unroll.attention.features import RandomFeatures
from unroll.attention.registry import register

_EPS = 1e-12  # the release's floor under a row sum


@register("kernel")
class KernelAttention(Attention):
    r"""Performer attention in its linear form: the N x N matrix is never formed.

    .. math::
        y_i = \frac{\phi(q_i)^\top \sum_j \phi(k_j) v_j^\top}{\phi(q_i)^\top \sum_j \phi(k_j)}

    The numbers are those of the release, which forms :math:`\phi(Q)\phi(K)^\top`. Queries and keys are put on the unit
    sphere, so this approximates the softmax of cosines at temperature T, not softmax attention itself.

    Args:
        dim: model width C.
        heads: number of heads H.
        features: random features a head; 2 D when None, as released.
        temperature: T > 0 of the kernel exp(cosine / T); 1 as released.

    Shapes: [B, N, C] to [B, N, C]; cost grows linearly with N.

    Raises:
        ValueError: on bad settings at construction, or when x or the mask has the wrong shape.

    Source: Choromanski et al. 2021, eq. 4; conventions of bfshi/VARS (``perf``).

    Example:
        >>> KernelAttention(64, 4)(torch.randn(2, 49, 64)).shape
        torch.Size([2, 49, 64])
    """

    traits = Traits(permutation_equivariant=True, masks=True, exact_gradient=True, compilable=True)

    def __init__(self, dim: int, heads: int, *, features: int | None = None, temperature: float = 1.0) -> None:
        super().__init__(dim, heads)
        self.qkv = nn.Linear(dim, 3 * dim)
        count = 2 * self.head_dim if features is None else features
        self.features = RandomFeatures(heads, self.head_dim, count, temperature=temperature)
        self.output = nn.Linear(dim, dim)

    def attend(self, x: Tensor, carry: Carry | None = None, mask: Tensor | None = None) -> tuple[Tensor, Carry | None]:
        query, key, v = self._project(x, mask)
        total = (query @ key.sum(dim=-2).unsqueeze(-1)).clamp_min(_EPS)
        y = query @ (key.mT @ v) / total
        return hide_tokens(self.output(self.merge_heads(y)), mask), carry

    def attention_map(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        query, key, _ = self._project(x, mask)
        weights = query @ key.mT
        return hide_tokens(weights / weights.sum(dim=-1, keepdim=True).clamp_min(_EPS), mask)

    def _project(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return query features, key features (zero for masked tokens) and values."""
        x = self.check_input(x, mask)
        q, k, v = (self.split_heads(part) for part in self.qkv(x).chunk(3, dim=-1))
        return self.features(q), hide_tokens(self.features(k), mask), hide_tokens(v, mask)
