"""Templates in factors: their products, and what a code is read out as, without a pass over them to normalise."""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

_EPS = 1e-12  # the release's floor under a norm


@dataclass(frozen=True, eq=False)
class Dictionary:
    r"""Templates F = R W, never written out: R are raw features, W scales or mixes them to columns of unit norm.

    Attributes:
        raw: R, over the tokens.
        loads: W, a factor a template or a whole matrix.
        reading: what a code is multiplied by before it is read out; None for nothing.
    """

    raw: Annotated[Tensor, "B H N M"]
    loads: Annotated[Tensor, "B H M 1"] | Annotated[Tensor, "B H M M"]
    reading: Annotated[Tensor, "H M M"] | None = None

    def __call__(self, code: Annotated[Tensor, "B H M D"]) -> Annotated[Tensor, "B H N D"]:
        """Return the tokens that a code is read out as."""
        return self.synthesis(code if self.reading is None else self.reading @ code)

    def synthesis(self, code: Annotated[Tensor, "B H M D"]) -> Annotated[Tensor, "B H N D"]:
        """Return F z."""
        one_each = self.loads.shape[-1] == 1
        return self.raw @ (self.loads * code if one_each else self.loads @ code)


def products(
    raw: Annotated[Tensor, "B H N M"], v: Annotated[Tensor, "B H N D"], mix: Annotated[Tensor, "H M M"] | None
) -> tuple[Annotated[Tensor, "B H M M"], Annotated[Tensor, "B H M D"], Tensor]:
    r"""Return G = F'F, c = F'V and the W of F = R W, where F = colnorm(colnorm(R) K) and K is ``mix``.

    The norms of the columns stand on the diagonal of a Gram matrix. Dividing these small products by them, and the code
    before it is read out, spares every pass over the templates themselves that normalising them would take.
    """
    gram, correlation = raw.mT @ raw, raw.mT @ v
    loads = _inverse_norms(gram)
    if mix is None:
        return loads * gram * loads.mT, loads * correlation, loads
    mixed = loads * mix
    gram = mixed.mT @ gram @ mixed
    norm = _inverse_norms(gram)
    return norm * gram * norm.mT, norm * (mixed.mT @ correlation), mixed * norm.mT


def _inverse_norms(gram: Annotated[Tensor, "B H M M"]) -> Annotated[Tensor, "B H M 1"]:
    return gram.diagonal(dim1=-2, dim2=-1).clamp_min(_EPS**2).rsqrt()[..., None]


def identities(heads: int, atoms: int) -> Annotated[Tensor, "H M M"]:
    """Return where a learned map sets out: one identity a head."""
    return torch.eye(atoms).repeat(heads, 1, 1)
