"""What the tests cross: problems with known answers, solvers, attentions, each listed once."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from unroll import problems, solvers
from unroll.attention import create
from unroll.contracts import Problem
from unroll.problems import L1, ElasticNet, GroupL2, NonNegativeL1, Reconstruction, Ridge, largest_eigenvalue
from unroll.solvers import FISTA, Anderson, Flow, Solver, Unrolled
from unroll.study import Entry, Recipe, Size, build, load, seed_everything


@dataclass(frozen=True)
class Known:
    """A problem in float64 and its solution, found without our solvers."""

    problem: Problem
    solution: Tensor


def dictionary(batch: int = 3, heads: int = 2, rows: int = 12, atoms: int = 6) -> Tensor:
    """Return well-conditioned templates, [B, H, rows, atoms]."""
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(batch, heads, rows, atoms, dtype=torch.float64, generator=generator)
    return torch.linalg.qr(noise)[0] + 0.1 * noise / rows**0.5


def values(f: Tensor, columns: int = 4) -> Tensor:
    """Return values to reconstruct, [B, H, rows, columns]."""
    generator = torch.Generator().manual_seed(2)
    return torch.randn(*f.shape[:-1], columns, dtype=torch.float64, generator=generator)


def _orthonormal_l1() -> Known:
    f = torch.linalg.qr(dictionary())[0]
    c = f.mT @ values(f)
    expected = c.sign() * (c.abs() - 0.3).clamp_min(0)
    return Known(Reconstruction(f.mT @ f, c, L1(0.3)), expected)


def _orthonormal_nonnegative() -> Known:
    f = torch.linalg.qr(dictionary())[0]
    c = f.mT @ values(f)
    return Known(Reconstruction(f.mT @ f, c, NonNegativeL1(0.3)), (c - 0.3).clamp_min(0))


def _ridge() -> Known:
    f = dictionary()
    gram, c = f.mT @ f, f.mT @ values(f)
    expected = torch.linalg.solve(gram + 0.5 * torch.eye(gram.shape[-1], dtype=c.dtype), c)
    return Known(Reconstruction(gram, c, Ridge(0.5), lipschitz=largest_eigenvalue(gram)), expected)


def _elastic_net() -> Known:
    f = torch.linalg.qr(dictionary())[0]
    c = f.mT @ values(f)
    expected = c.sign() * (c.abs() - 0.6 * 0.25).clamp_min(0) / (1 + 0.6 * 0.75)
    return Known(Reconstruction(f.mT @ f, c, ElasticNet(0.6, ratio=0.25)), expected)


def _group() -> Known:
    f = torch.linalg.qr(dictionary())[0]
    c = f.mT @ values(f)
    size = c.norm(dim=-1, keepdim=True)
    return Known(Reconstruction(f.mT @ f, c, GroupL2(1.5)), c * (1 - 1.5 / size).clamp_min(0))


def _least_squares() -> Known:
    f = dictionary()
    v = values(f)
    expected = torch.linalg.lstsq(f, v).solution
    return Known(Reconstruction(f.mT @ f, f.mT @ v, L1(0.0)), expected)


PROBLEMS: dict[str, Callable[[], Known]] = {
    "orthonormal-l1": _orthonormal_l1,
    "orthonormal-nonnegative": _orthonormal_nonnegative,
    "ridge": _ridge,
    "elastic-net": _elastic_net,
    "group": _group,
    "least-squares": _least_squares,
}

SOLVERS: dict[str, Solver] = {
    "unrolled": Unrolled(400),
    "fista": FISTA(400),
    "fista-no-restart": FISTA(2000, restart=False),
    "fista-tol": FISTA(400, tol=1e-11),
    "anderson": Anderson(400, tol=1e-11),
    "anderson-all-steps": Anderson(60, tol=None, history=3),
}

# Every attention, and the settings of it that are worth a row.
VARIANTS = {
    "softmax": ("softmax", {}),
    "softmax-warm": ("softmax", {"temperature": 2.0}),
    "kernel": ("kernel", {}),
    "vars-d": ("vars-d", {}),
    "vars-d-fista": ("vars-d", {"solver": solvers.FISTA(8), "bound": "row-sum"}),
    "vars-d-published": ("vars-d", {"published": True}),
    "vars-d-slots": ("vars-d", {"normalisation": "slots", "penalty": "group-l2", "weight": 0.1}),
    "vars-d-relative": ("vars-d", {"relative": True, "weight": 0.1, "learned_weight": True, "origin": "correlation"}),
    "vars-d-random": ("vars-d", {"learned_templates": False, "learned_projection": False, "sphere": True}),
    "vars-d-inhibition": ("vars-d", {"learned_inhibition": True, "learned_readout": True, "weight": 0.2}),
    "vars-d-readout": ("vars-d", {"learned_readout": True, "weight": 0.2}),
    "vars-d-warm": ("vars-d", {"warm_start": True, "projection_seed": 3}),
    "vars-d-potential": (
        "vars-d",
        {
            "coordinates": "potential",
            "weight": 0.2,
            "solver": Flow(5, "euler", step_size=0.25, gradient="direct", tol=None),
        },
    ),
    "vars-sd": ("vars-sd", {"weight": 0.2}),
    "vars-sd-published": ("vars-sd", {"published": True}),
    "vars-s": ("vars-s", {}),
    "vars-s-fista": ("vars-s", {"solver": FISTA(8), "filters": 2}),
    "vars-s-published": ("vars-s", {"published": True, "weight": 0.1}),
    "hopfield": ("hopfield", {}),
    "hopfield-settled": ("hopfield", {"solver": Unrolled(20), "beta": 2.0}),
    "evolving": ("evolving", {"grid": None}),
    "evolving-learned": ("evolving", {"grid": None, "learned": True, "alpha": 0.5, "span": 3}),
    "evolving-causal": ("evolving", {"grid": None, "causal": True, "activation": "relu"}),
    "evolving-residual": ("evolving", {"grid": None, "convolution": False, "relative": False, "learned": True}),
    "evolving-grid": ("evolving", {}),
    "evolving-grid-causal": ("evolving", {"causal": True, "beta": 0.4}),
    "convolution": ("convolution", {}),
    "convolution-wide": ("convolution", {"size": 5}),
    "relative-position-bias": ("relative-position-bias", {}),
    "gated-positional": ("gated-positional", {}),
    "gated-positional-local": ("gated-positional", {"locality": 4.0, "heads": 4}),
    "rotary": ("rotary", {}),
    "rotary-slow": ("rotary", {"base": 10_000.0, "heads": 1}),
    "peripheral": ("peripheral", {}),
    "peripheral-oblong": ("peripheral", {"grid": (1, 9)}),
    "peripheral-layers": ("peripheral", {"projection": "layers"}),
    "peripheral-distance": ("peripheral", {"projection": "distance"}),
    **{f"vars-d-{bound}": ("vars-d", {"bound": bound, "templates": 3}) for bound in problems.BOUNDS},
}


def make(variant, dim=12, heads=3):
    """Return the attention of one row."""
    name, options = VARIANTS[variant]
    return create(name, **{"dim": dim, "heads": heads, "grid": (3, 3)} | options)


# Those that take any number of tokens, and masks; the others are bound to a grid.
FREE = [variant for variant in VARIANTS if not make(variant).traits.needs_grid]


# A training and a network that take a second.
SHORT = Recipe(epochs=1, batch=32)
SMALL = Size(dim=16, depth=1, heads=2)


def small_model(name="softmax", seed=0):
    """Return an untrained network for the small digits, and the generator that its training would use."""
    generator = seed_everything(seed)
    return build(Entry(name), load("digits"), SMALL), generator
