"""VARS with a static dictionary: tokens reconstruct their values from learned filters that may stand anywhere."""

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor, nn

from unroll import validate
from unroll.attention.base import Traits
from unroll.attention.iterative import IterativeAttention, Readout, rows_of
from unroll.attention.registry import register
from unroll.problems import L1, ConvolutionalReconstruction, filtered, real_spectrum
from unroll.solvers import Solver, Unrolled


@register("vars-s")
class VarsS(IterativeAttention):
    r"""Sparse reconstruction of the values' image, channel by channel, from learned filters as large as the grid.

    .. math::
        z^\star = \arg\min_z \tfrac12 \Bigl|u - \sum_a P_a \star z_a\Bigr|^2 + \lambda |z|_1, \qquad
        y = P_2 \ast \sum_a P_a \star z_a

    u is the image that a channel's values form on the grid; each channel has ``filters`` filters of its own, kept as
    spectra. The dictionary does not depend on the tokens: what is attended to depends on them only through the
    threshold. Heads are of no consequence here.

    Args:
        dim: model width C; every channel is a group of its own.
        heads: accepted like any layer's, unused (as published).
        filters: a channel, o; 5 as published.
        weight: lambda >= 0, in units of the values; 0.1 when None (3.5 as published, for tokens that no norm precedes).
        solver: how the problem is solved; five unrolled steps when None (three as published).
        grid: (height, width) of the tokens.
        published: the released arithmetic: free spectra (see :class:`ConvolutionalReconstruction`), a start at the
            shrunk correlation, a step bound that is stored and must be refreshed by :meth:`refresh_bound`, a batch norm
            before the output projection.

    Shapes: [B, N, C] to [B, N, C], N = height x width; cost grows as N log N.

    Raises:
        ValueError: on bad settings at construction, or when x does not have the grid's tokens.

    Source: Shi et al. 2022 (VARS, arXiv 2204.10962); released code bfshi/VARS, ``vars_block.py``.

    Example:
        >>> VarsS(64, 4, grid=(7, 7))(torch.randn(2, 49, 64)).shape
        torch.Size([2, 49, 64])
    """

    traits = Traits(needs_grid=True, exact_gradient=True)

    def __init__(
        self,
        dim: int,
        heads: int,
        *,
        filters: int = 5,
        weight: float | None = None,
        solver: Solver | None = None,
        grid: tuple[int, int] | None = None,
        published: bool = False,
    ) -> None:
        solver = Unrolled(3 if published else 5) if solver is None else solver
        super().__init__(dim, heads, solver=solver, grid=grid, projections=1)
        if weight is None:
            weight = 3.5 if published else 0.1
        self.weight = validate.at_least("weight (lambda)", weight, 0)
        self.published = published
        height, width = self.grid
        shape = (dim, validate.count("filters", filters), height, width // 2 + 1, 2)
        self.filters = nn.Parameter(unit_energy(torch.randn(shape), width))
        # The second filter begins as the identity: real part one.
        self.second = nn.Parameter(torch.tensor([1.0, 0.0]).repeat(dim, height, width // 2 + 1, 1))
        if published:
            self.output = nn.Sequential(_TokenNorm(dim), self.output)
            self.register_buffer("lipschitz", torch.empty(dim))
            self.refresh_bound(momentum=1.0)

    @torch.no_grad()
    def refresh_bound(self, momentum: float = 0.1) -> None:
        """Move the stored step bound of the published setting towards that of the filters as they are now.

        The release does so every hundred training steps. Its bound leaves out the imaginary part of the Gram operator,
        so it is too small, by up to a half.
        """
        real, imaginary = self.filters.double().unbind(-1)
        # The real part of p p^H is a a' + b b', whose largest eigenvalue is that of a 2 x 2 matrix.
        aa, bb, ab = (s.sum(1) for s in (real * real, imaginary * imaginary, real * imaginary))
        largest = (aa + bb) / 2 + (((aa - bb) / 2).square() + ab.square()).sqrt()
        self.lipschitz.lerp_(largest.amax((-2, -1)).to(self.lipschitz.dtype), momentum)

    def bind(
        self, x: Tensor, mask: Tensor | None = None, start: Tensor | None = None
    ) -> tuple[ConvolutionalReconstruction, Readout]:
        return self._pose(self.project(x, mask)[-1])

    def attention_map(
        self, x: Tensor, mask: Tensor | None = None, listeners: Sequence[int] | None = None
    ) -> Annotated[Tensor, "B 1 N N"]:
        """Return the derivative of output i by value j of the computation actually run, averaged over channels.

        ``listeners`` are the tokens whose rows are wanted, all of them if None.

        Raises:
            ValueError: when a listener is none of the tokens.
        """
        with torch.enable_grad():
            v = self.project(x.detach(), mask)[-1].detach().requires_grad_()
            problem, readout = self._pose(v)
            outputs = readout(self.solver(problem).value)
            rows = [
                torch.autograd.grad(outputs[:, :, i].sum(), v, retain_graph=True)[0].mean((1, 3))
                for i in rows_of(listeners, outputs.shape[2])
            ]
        return torch.stack(rows, dim=1)[:, None]

    def _pose(self, v: Annotated[Tensor, "B H N D"]) -> tuple[ConvolutionalReconstruction, Readout]:
        spectrum, second = (_complex(kernel) for kernel in (self.filters, self.second))
        if not self.published:
            spectrum = real_spectrum(spectrum, self.grid[1])
        images = v.mT.flatten(1, 2).unflatten(-1, self.grid)
        problem = ConvolutionalReconstruction(
            spectrum,
            filtered(images[:, :, None], spectrum),
            L1(self.weight),
            lipschitz=self.lipschitz if self.published else None,
            from_correlation=self.published,
        )

        def readout(code: Tensor) -> Tensor:
            return filtered(problem.synthesis(code), second).flatten(-2).unflatten(1, (self.heads, -1)).mT

        return problem, readout

    def extra_repr(self) -> str:
        how = ", published" if self.published else ""
        return (
            f"{super().extra_repr()}, filters={self.filters.shape[1]}, weight={self.weight:g}, "
            f"solver={self.solver}{how}"
        )


def unit_energy(filters: Annotated[Tensor, "... Y W 2"], width: int) -> Tensor:
    """Scale half spectra so that each filter has an energy of about one, as the release does once, at construction.

    Every entry of the half spectrum counts twice; entries that stand for themselves are thereby counted once too often.
    """
    energy = filters.square().sum((-3, -2, -1), keepdim=True) * 2 / (filters.shape[-3] * width)
    return filters / energy.sqrt()


class _TokenNorm(nn.BatchNorm1d):
    """Batch norm of channels that stand last."""

    def forward(self, x: Annotated[Tensor, "B N C"]) -> Annotated[Tensor, "B N C"]:
        return super().forward(x.mT).mT


def _complex(kernel: Annotated[Tensor, "... 2"]) -> Tensor:
    return torch.view_as_complex(kernel.to(torch.promote_types(kernel.dtype, torch.float32)))
