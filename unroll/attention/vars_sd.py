"""VARS with a dynamic and a static dictionary: templates made of the tokens beside templates that are learned."""

import torch
from torch import nn

from unroll.attention.base import Traits
from unroll.attention.registry import register
from unroll.attention.vars_d import VarsD


@register("vars-sd")
class VarsSD(VarsD):
    r"""Sparse reconstruction of the values from dynamic and learned templates, with any solver.

    .. math::
        F = \mathrm{colnorm}\bigl([\, \phi(Q) \mid S \,]\bigr), \qquad
        z^\star = \arg\min_z \tfrac12 |V - F z|^2 + \lambda |z|_1, \qquad y = F z^\star

    As many static templates S as dynamic ones; a row of S belongs to a place of the grid, so the layer is bound to it.
    Settings are those of :class:`VarsD`.

    Source: Shi et al. 2022 (VARS, arXiv 2204.10962); released code bfshi/VARS, ``vars_block.py``.

    Example:
        >>> VarsSD(64, 4, grid=(7, 7))(torch.randn(2, 49, 64)).shape
        torch.Size([2, 49, 64])
    """

    traits = Traits(needs_grid=True, exact_gradient=True, compilable=True)

    def make_static(self) -> nn.Parameter:
        return nn.Parameter(torch.randn(1, self.heads, self.grid[0] * self.grid[1], self.features.count))
