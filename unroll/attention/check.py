"""The contract check: what is wrong with a new attention, rule by rule."""

import copy

import torch

from unroll.attention.base import Attention
from unroll.attention.registry import create
from unroll.attention.rules import rules
from unroll.verdicts import Report


def check_attention(
    attention: str | Attention, *, dim: int = 12, heads: int = 3, tokens: int = 8, raises: bool = True
) -> Report:
    """Hold an attention against what its traits declare, in float64 and evaluation mode.

    The compiler's caches are emptied where the traits declare ``compilable``.

    Args:
        attention: a registered name, or a layer (which is copied, not changed).
        dim: width, when a name is given.
        heads: heads, when a name is given.
        tokens: number of tokens of the trial input; a layer with a grid gets as many as its grid has.
        raises: False returns a report with failures instead of raising.

    Raises:
        ContractError: naming each broken rule, its number and a remedy.

    Example:
        >>> check_attention("softmax").passed
        True
    """
    grid = (2, max(2, tokens // 2))  # not square, so that swapping the axes shows
    layer = create(attention, dim=dim, heads=heads, grid=grid) if isinstance(attention, str) else attention
    layer = copy.deepcopy(layer).double().eval()
    count = layer.grid[0] * layer.grid[1] if layer.grid else tokens
    generator = torch.Generator().manual_seed(0)
    parameter = next(layer.parameters(), torch.empty(0))
    x = torch.randn(3, count, layer.dim, dtype=torch.float64, generator=generator).to(parameter.device)
    subject = attention if isinstance(attention, str) else type(attention).__name__
    return rules.judge(subject, layer, x, raises=raises)
