"""From queries, keys and values to what each head hears, through logits that evolve."""

from dataclasses import replace
from typing import Annotated

from torch import Tensor, nn

from unroll import validate
from unroll.attention.base import Carry
from unroll.attention.evolution import Evolution
from unroll.attention.relative import RelativeGrid, RelativeSequence


class EvolvingHeads(nn.Module):
    r"""The heads of evolving attention, between the projections and the merging.

    Args:
        evolution: what becomes of the logits.
        relative: makes the logits, with those of relative positions; content alone when None.

    Shapes: q and k [B, H, N, D], v [B, H, N, any] to [B, H, N, any].

    Raises:
        ValueError: at the call, when the carried logits do not have the shape of this layer's.

    Example:
        >>> q = k = v = torch.randn(2, 4, 9, 16)
        >>> heard, carry = EvolvingHeads(Evolution(4))(q, k, v)
        >>> carry.logits.shape
        torch.Size([2, 4, 9, 9])
    """

    def __init__(self, evolution: Evolution, relative: RelativeSequence | RelativeGrid | None = None) -> None:
        super().__init__()
        self.evolution, self.relative = evolution, relative

    def forward(
        self,
        q: Annotated[Tensor, "B H N D"],
        k: Annotated[Tensor, "B H N D"],
        v: Annotated[Tensor, "B H N D"],
        carry: Carry | None = None,
        mask: Annotated[Tensor, "B N"] | None = None,
    ) -> tuple[Tensor, Carry]:
        """Return what the heads hear and the carry with this layer's logits; masked tokens stand last."""
        carry = Carry() if carry is None else carry
        if carry.logits is not None:
            validate.shape("carry.logits", carry.logits, (*q.shape[:-1], q.shape[-2]))
        q = q * self.evolution.query_scale(q.shape[-1])
        own = q @ k.mT if self.relative is None else self.relative(q, k)
        pairs = self.evolution.pairs(q.shape[-2], mask, q.device)
        logits = self.evolution(own, carry.logits, pairs)
        return self.evolution.weights(logits, pairs) @ v, replace(carry, logits=logits)

    def map(self, carry: Carry, mask: Annotated[Tensor, "B N"] | None) -> Annotated[Tensor, "B H N N"]:
        """Return the weights with which the heads of a layer heard, from the carry that it handed on."""
        logits = carry.logits
        return self.evolution.weights(logits, self.evolution.pairs(logits.shape[-1], mask, logits.device))


def merge_untransposed(heard: Annotated[Tensor, "B H N D"]) -> Annotated[Tensor, "B N C"]:
    """Put the heads' channels side by side as the release does, which takes [N, D] for [D, N] and mixes the two.

    Example:
        >>> merge_untransposed(torch.randn(2, 4, 9, 16)).shape
        torch.Size([2, 9, 64])
    """
    return heard.reshape(*heard.shape[:2], heard.shape[3], heard.shape[2]).flatten(1, 2).mT
