"""VARS with a dynamic dictionary: tokens reconstruct their values sparsely from templates made of themselves."""

from dataclasses import replace
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from unroll import validate
from unroll.attention.base import Traits, hide_tokens
from unroll.attention.dictionary import Dictionary, identities, products
from unroll.attention.features import RandomFeatures
from unroll.attention.iterative import IterativeAttention, Readout
from unroll.attention.registry import register
from unroll.attention.released import LearnedFactors
from unroll.contracts import Kind
from unroll.problems import BOUNDS, LCA, Reconstruction, penalties
from unroll.solvers import Flow, Implicit, Solver, Unrolled


@register("vars-d")
class VarsD(IterativeAttention):
    r"""Sparse reconstruction of the values from dynamic templates, with any solver.

    .. math::
        F = \mathrm{colnorm}(\phi(Q)\, K), \qquad
        z^\star = \arg\min_z \tfrac12 |V - F z|^2 + \lambda |z|_1, \qquad y = F z^\star

    Each column of F, a template over the tokens, has unit norm. The directions in which phi looks and the map K are
    learned; as published they are random and the identity. The paper's attractor settles in z*; a few solver steps stop
    on the way. With lambda = 0, one step of size 1 from zero is y = F F'V: kernel attention with queries and keys
    shared, up to the axis that is normalised.

    Args:
        dim: model width C.
        heads: number of heads H.
        templates: atoms M a head; the head width D when None (2 D as published). With as many templates as
            tokens the reconstruction is the values themselves, and no token hears another.
        temperature: T > 0 of the features' kernel exp(cosine / T); 1/3 when None (1 as published).
        weight: lambda >= 0, in units of the values; 1 when None (0.3 as published). Correlations grow with the number
            of tokens: on a handful of them a smaller lambda keeps an untrained layer from silence (a code of zeros).
        relative: measure lambda in units of the largest correlation of each head and sample, the smallest lambda that
            silences it: then 0 <= lambda < 1, and the layer doubles its output when its values are doubled.
        learned_weight: learn lambda, one a head, from ``weight`` on; it stays above zero.
        penalty: the name of the penalty on the code in ``problems.penalties``: "l1" when None ("gelu" as published).
        normalisation: "columns" as published; "slots" lets the templates of a token compete first (they sum to 1).
        origin: where the solver sets out: "zero" when None, or "correlation", from prox(F'V) (as published).
        bound: the step bound L, by its name in ``problems.BOUNDS``; "schatten" when None ("released" as published).
        learned_templates: learn a linear map on the templates, one a head: F K in the place of F, K the identity at
            first. Unlike the released factors it keeps the energy: G = K'F'FK, c = K'F'V. On when None (off as
            published).
        learned_inhibition: learn how templates inhibit each other, one linear map J a head, the identity at first:
            J'G J in the place of G, while the drive c stays as it is. As in LISTA, recurrent weights are then free of
            the feed-forward ones; unlike the released factors they keep a convex energy,
            :math:`\tfrac12 |F J z|^2 - \langle F^\top V, z \rangle + \lambda |z|_1`.
        learned_readout: learn what a code is read out as, one linear map a head: y = F R z, R the identity at first.
            The problem, and so the code, stay as they are.
        learned_projection: learn the projection of the features, which is random and fixed otherwise. On when None (off
            as published).
        sphere: put queries on the unit sphere; when False their length counts, as in softmax attention. Off when None
            (on as published).
        learned_gram: learn factors on the problem (see :class:`LearnedFactors`); off when None (on as published).
        warm_start: set out from the code of the layer before; needs ``projection_seed`` and templates that are not
            learned, so that layers with one seed share their templates' directions.
        projection_seed: draw the random projection from this seed.
        coordinates: "code", or "potential" for the locally competitive algorithm, whose flow settles in the same code.
        solver: how the problem is solved; when None five unrolled steps as published, or a flow for potentials.
        grid: ignored here; ``vars-sd`` needs it.
        published: the released arithmetic: what "as published" says above, for all that is None.

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
        relative: bool = False,
        learned_weight: bool = False,
        penalty: str | None = None,
        normalisation: Literal["columns", "slots"] = "columns",
        origin: Literal["zero", "correlation"] | None = None,
        bound: str | None = None,
        learned_templates: bool | None = None,
        learned_inhibition: bool = False,
        learned_readout: bool = False,
        learned_projection: bool | None = None,
        sphere: bool | None = None,
        learned_gram: bool | None = None,
        warm_start: bool = False,
        projection_seed: int | None = None,
        coordinates: Literal["code", "potential"] = "code",
        solver: Solver | None = None,
        grid: tuple[int, int] | None = None,
        published: bool = False,
    ) -> None:
        flows = validate.choice("coordinates", coordinates, ("code", "potential")) == "potential"
        if solver is None:
            solver = Flow() if flows else Unrolled(5)
        super().__init__(dim, heads, solver=solver, grid=grid)
        self.coordinates = coordinates

        def pick(value: object, ours: object, theirs: object) -> object:
            return value if value is not None else theirs if published else ours

        weight = validate.at_least("weight (lambda)", pick(weight, 1.0, 0.3), 0)
        if relative and not weight < 1:
            raise ValueError(f"weight (lambda) must be below 1 with relative=True: 1 silences a head, got {weight}")
        self.weight, self.relative = weight, relative
        self.penalty = pick(penalty, "l1", "gelu")
        self.normalisation = validate.choice("normalisation", normalisation, ("columns", "slots"))
        self.origin = validate.choice("origin", pick(origin, "zero", "correlation"), ("zero", "correlation"))
        self.bound = validate.choice("bound", pick(bound, "schatten", "released"), BOUNDS)
        count = validate.count("templates", pick(templates, self.head_dim, 2 * self.head_dim))
        self.features = RandomFeatures(
            heads,
            self.head_dim,
            count,
            temperature=pick(temperature, 1 / 3, 1.0),
            seed=projection_seed,
            learned=pick(learned_projection, not warm_start, False),
            sphere=pick(sphere, False, True),
        )
        self.scale = nn.Parameter(torch.zeros(heads, 1, 1)) if learned_weight else None
        self.static = self.make_static()
        atoms = count + (0 if self.static is None else self.static.shape[-1])
        self.map = nn.Parameter(identities(heads, atoms)) if pick(learned_templates, not warm_start, False) else None
        self.inhibition = nn.Parameter(identities(heads, atoms)) if learned_inhibition else None
        self.reading = nn.Parameter(identities(heads, atoms)) if learned_readout else None
        self.factors = LearnedFactors(atoms) if pick(learned_gram, False, True) else None
        if warm_start and (projection_seed is None or self.map is not None or learned_projection):
            raise ValueError(
                "warm_start needs projection_seed, and neither learned_templates nor learned_projection, so that the "
                "layers' templates have common directions"
            )
        # The release holds L constant, so the gradient is not that of its output.
        exact = self.bound != "released" or isinstance(self.solver, Implicit)
        self.traits = replace(self.traits, carries=warm_start, exact_gradient=exact)
        self.settles = penalties[self.penalty].proximal and self.factors is None
        proximal = self.settles and coordinates == "code"
        self.solver.check_kind(Kind.PROXIMAL if proximal else Kind.GENERAL, f"{type(self).__name__} as it is set")

    def make_static(self) -> nn.Parameter | None:
        """Return the learned templates that stand beside the dynamic ones, [1, H, N, M]; here there are none."""
        return None

    def templates(self, q: Annotated[Tensor, "B H N D"], mask: Tensor | None = None) -> Annotated[Tensor, "B H N M"]:
        """Return the templates before their columns are scaled to unit norm over the tokens."""
        f = self.features(q)
        if self.normalisation == "slots":
            f = f / f.sum(dim=-1, keepdim=True)
        if self.static is not None:
            f = torch.cat([f, self.static.expand(len(q), -1, -1, -1)], dim=-1)
        return hide_tokens(f, mask)

    def bind(
        self, x: Tensor, mask: Tensor | None = None, start: Tensor | None = None
    ) -> tuple[Reconstruction | LCA, Readout]:
        if not self.settles and isinstance(self.solver, Implicit):
            raise ValueError(
                f"Implicit needs a fixed point, and {type(self).__name__} with the penalty {self.penalty!r} or learned "
                "factors need not have one: use Unrolled"
            )
        q, v = self.project(x, mask)
        f = self.templates(q, mask)
        gram, correlation, loads = products(f, v, self.map)
        if self.inhibition is not None:
            gram = self.inhibition.mT @ gram @ self.inhibition
        weight, lipschitz = self._lambda(correlation), BOUNDS[self.bound](gram)
        if self.factors is not None:
            gram, weight, lipschitz = self.factors(gram, weight, lipschitz)
        problem = Reconstruction(
            gram,
            correlation,
            penalties[self.penalty](weight),
            initial=start,
            lipschitz=lipschitz,
            origin=self.origin,
            symmetric=self.factors is None,
        )
        readout = Dictionary(f, loads, self.reading)
        return LCA(problem) if self.coordinates == "potential" else problem, readout

    def _lambda(self, correlation: Annotated[Tensor, "B H M D"]) -> float | Tensor:
        weight = self.weight if self.scale is None else self.weight * self.scale.exp()
        return weight * correlation.abs().amax(dim=(-2, -1), keepdim=True) if self.relative else weight

    def extra_repr(self) -> str:
        unit = " of the largest correlation" if self.relative else ""
        parts = {
            "map": self.map,
            "inhibition": self.inhibition,
            "readout": self.reading,
            "lambda": self.scale,
            "factors": self.factors,
        }
        learned = "".join(f", learned {name}" for name, part in parts.items() if part is not None)
        return (
            f"{super().extra_repr()}, weight={self.weight:g}{unit}, penalty={self.penalty!r}, "
            f"normalisation={self.normalisation!r}, origin={self.origin!r}, bound={self.bound!r}{learned}, "
            f"solver={self.solver}"
        )
