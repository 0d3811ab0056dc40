"""VARS with a dynamic dictionary: tokens reconstruct their values sparsely from templates made of themselves."""

from dataclasses import replace
from typing import Literal

from torch import Tensor
from torch.nn import functional as F

from unroll import validate
from unroll.attention.base import Traits, hide_tokens
from unroll.attention.features import RandomFeatures
from unroll.attention.iterative import IterativeAttention, Readout
from unroll.attention.registry import register
from unroll.attention.released import ReleasedDictionary
from unroll.contracts import Kind
from unroll.problems import BOUNDS, L1, Reconstruction
from unroll.solvers import Implicit, Solver, Unrolled


@register("vars-d")
class VarsD(IterativeAttention):
    r"""Sparse reconstruction of the values from dynamic templates, with any solver.

    .. math::
        F = \mathrm{colnorm}(\phi(Q)), \qquad
        z^\star = \arg\min_z \tfrac12 |V - F z|^2 + \lambda |z|_1, \qquad y = F z^\star

    Each column of F, a template over the tokens, has unit norm. The paper's attractor settles in z*; a few
    solver steps stop on the way. With lambda = 0, one step of size 1 from zero is y = F F'V: kernel attention with
    queries and keys shared, up to the axis that is normalised.

    Args:
        dim: model width C.
        heads: number of heads H.
        templates: atoms M a head; the head width D when None (2 D as published). With as many templates as
            tokens the reconstruction is the values themselves, and no token hears another.
        temperature: T > 0 of the features' kernel exp(cosine / T); 1/3 when None (1 as published).
        weight: lambda >= 0, in units of the values; 1 when None (0.3 as published). Correlations grow with the number
            of tokens: on a handful of them a smaller lambda keeps an untrained layer from silence (a code of zeros).
        solver: how the problem is solved; five unrolled steps as published.
        bound: the step bound L, by its name in ``problems.BOUNDS``; "schatten" when None. Published is always one
            more than the row sum.
        published: the released arithmetic (see :class:`ReleasedDictionary`): GELU shrinkage, learned factors, a start
            at the shrunk correlation, T = 1.

    Shapes: [B, N, C] to [B, N, C]; cost grows linearly with N.

    Raises:
        ValueError: on bad settings at construction, a solver that the problem does not admit, or when x or the mask
            has the wrong shape.

    Source: Shi et al. 2022 (VARS, arXiv 2204.10962); released code bfshi/VARS, ``vars_block.py``.

    Example:
        >>> VarsD(64, 4, weight=0.2, solver=Unrolled(10))(torch.randn(2, 49, 64)).shape
        torch.Size([2, 49, 64])
    """

    traits = Traits(permutation_equivariant=True, masks=True, exact_gradient=True, compilable=True)

    def __init__(
        self,
        dim: int,
        heads: int,
        *,
        templates: int | None = None,
        temperature: float | None = None,
        weight: float | None = None,
        solver: Solver | None = None,
        bound: Literal["schatten", "power-iteration", "row-sum", "largest-eigenvalue"] | None = None,
        published: bool = False,
    ) -> None:
        super().__init__(dim, heads, solver=Unrolled(5) if solver is None else solver)
        if published and bound is not None:
            raise ValueError(f"bound must be None with published=True (one more than the row sum), got {bound!r}")
        if templates is None:
            templates = 2 * self.head_dim if published else self.head_dim
        if temperature is None:
            temperature = 1.0 if published else 1 / 3
        if weight is None:
            weight = 0.3 if published else 1.0
        validate.count("templates", templates)
        self.weight = validate.at_least("weight (lambda)", weight, 0)
        self.bound = validate.choice("bound", "schatten" if bound is None else bound, BOUNDS)
        self.features = RandomFeatures(heads, self.head_dim, templates, temperature=temperature)
        self.released = ReleasedDictionary(templates, weight) if published else None
        if published:
            self.solver.check_kind(Kind.GENERAL, "the published vars-d")
            self.traits = replace(self.traits, exact_gradient=False)  # the release holds L constant

    def bind(
        self, x: Tensor, mask: Tensor | None = None, start: Tensor | None = None
    ) -> tuple[Reconstruction, Readout]:
        if self.released is not None and isinstance(self.solver, Implicit):
            raise ValueError("Implicit needs a fixed point, and the published vars-d need not have one: use Unrolled")
        q, v = self.project(x, mask)
        f = F.normalize(hide_tokens(self.features(q), mask), dim=-2, eps=1e-12)
        gram, correlation = f.mT @ f, f.mT @ v
        if self.released is not None:
            problem = self.released(gram, correlation, start)
        else:
            lipschitz = BOUNDS[self.bound](gram)
            problem = Reconstruction(gram, correlation, L1(self.weight), initial=start, lipschitz=lipschitz)
        return problem, lambda code: f @ code

    def extra_repr(self) -> str:
        how = "published" if self.released is not None else f"bound={self.bound!r}"
        return f"{super().extra_repr()}, weight={self.weight:g}, solver={self.solver}, {how}"
