"""The rules of the attention contract. Each measures one promise of a float64 layer in evaluation mode."""

from unroll.attention.rules import calls, gradients, iteration, numbers
from unroll.attention.rules.base import rules

__all__ = ["calls", "gradients", "iteration", "numbers", "rules"]
