"""Where the rules of the attention contract are filed, and what they share."""

from unroll.attention.base import Attention
from unroll.attention.iterative import IterativeAttention
from unroll.solvers import Unrolled
from unroll.verdicts import Rules

rules = Rules()


def unrolled(layer: Attention) -> Attention:
    """Return an iterative layer with two plain steps for a solver: what solvers promise is ``check_solver``'s business.

    They look at values, which the meta device has none of, and have tolerances that bfloat16 cannot meet.
    """
    return layer.with_solver(Unrolled(2)) if isinstance(layer, IterativeAttention) else layer
