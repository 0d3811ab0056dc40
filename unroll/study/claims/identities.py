"""Claims that are identities: computed on the spot in float64, over several draws of weights and tokens."""

import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from unroll.attention import create
from unroll.models import ViT
from unroll.problems import L1, Hopfield, Reconstruction
from unroll.solvers import Anderson, Implicit, Solver, Unrolled
from unroll.study.claims.claim import Claim, Estimate, claims
from unroll.verdicts import gap

DRAWS = 10
EXACT = 1e-9  # the largest difference that passes for rounding
_COMMAND = "python -m unroll claims"


def largest(difference: Callable[[], float]) -> Estimate:
    """Return the largest difference over the draws; random states of the caller stay as they are.

    It is rounded up to a power of ten: what is below that differs from machine to machine.
    """
    with torch.random.fork_rng():
        found = []
        for draw in range(DRAWS):
            torch.manual_seed(draw)
            found.append(difference())
    most = max(found)
    most = 10.0 ** math.ceil(math.log10(most)) if 0 < most < math.inf else most
    return Estimate(most, most, most, "or less", DRAWS, "draws")


@torch.no_grad()
def retrieval(steps: int = 1) -> float:
    """Return how far PyTorch's self-attention over keys is from a Hopfield network's state after ``steps``."""
    q, k = torch.randn(2, 2, 3, 7, 4, dtype=torch.float64)
    network = Hopfield(patterns=k, queries=q, beta=4**-0.5)
    return gap(Unrolled(steps)(network).value, F.scaled_dot_product_attention(q, k, k))


@torch.no_grad()
def shared_kernel(weight: float = 0.0) -> float:
    """Return how far one step of reconstruction, lambda = ``weight``, is from kernel attention with queries = keys."""
    layer, x = create("vars-d", dim=12, heads=3).double(), torch.randn(2, 7, 12, dtype=torch.float64)
    q, v = layer.project(x)
    f = F.normalize(layer.features(q), dim=-2)
    problem = Reconstruction(f.mT @ f, f.mT @ v, L1(weight), lipschitz=torch.ones(2, 3, dtype=torch.float64))
    kernel = torch.einsum("bhim,bhjm->bhij", f, f)  # who hears whom: likeness of features, the same both ways
    return gap(f @ Unrolled(1)(problem).value, kernel @ v)


@torch.no_grad()
def shuffled(positions: bool = False) -> float:
    """Return how much the logits of a vision transformer change when its patches change places."""
    model = ViT("softmax", image_size=(12, 12), dim=12, heads=3, depth=2, positions=positions).double().eval()
    patches = torch.rand(2, 1, 9, 4, 4, dtype=torch.float64)
    return gap(model(_assembled(patches)), model(_assembled(patches[:, :, torch.randperm(9)])))


def without_the_way(settle: Solver | None = None) -> float:
    """Return how far the gradient at a fixed point is from that through all the steps to it."""
    f = torch.linalg.qr(torch.randn(2, 10, 6, dtype=torch.float64))[0]
    f = f + 0.1 * torch.randn_like(f)
    v, wanted = torch.randn(2, 10, 3, dtype=torch.float64), torch.randn(2, 6, 3, dtype=torch.float64)
    tight = Anderson(steps=500, tol=1e-13)
    gradients = []
    for solver in (Unrolled(200), settle or Implicit(tight, backward=tight)):
        values = v.clone().requires_grad_()
        code = solver(Reconstruction(f.mT @ f, f.mT @ values, L1(0.1))).value
        gradients += torch.autograd.grad((code * wanted).sum(), values)
    return gap(*gradients)


def _assembled(patches: Tensor) -> Tensor:
    return patches.unflatten(2, (3, 3)).permute(0, 1, 2, 4, 3, 5).reshape(len(patches), 1, 12, 12)


def _identity(name: str, statement: str, source: str, here: str, difference: Callable[[], float]) -> None:
    def evidence(results: Path) -> Estimate:
        return largest(difference)

    claim = Claim(statement, source, here, _COMMAND, evidence, direction="less", threshold=EXACT, live=True)
    claims.register(name)(claim)


_identity(
    "one-step",
    "Self-attention is one step of a Hopfield network whose patterns are the keys.",
    "Ramsauer et al. 2021 (modern Hopfield networks)",
    "the state after one step from the queries, against PyTorch's attention with the keys for values",
    retrieval,
)
_identity(
    "shared-kernel",
    "One step of reconstruction without sparsity, from zero, is kernel attention with queries and keys shared.",
    "Shi et al. 2022 (VARS), who say self-attention; put more narrowly here",
    "F z after one step of size 1 with lambda = 0, against F F' V",
    shared_kernel,
)
_identity(
    "no-positions",
    "A vision transformer without positions does not mind where its patches are.",
    "folklore; asked by Naseer et al. 2021",
    "logits of an untrained network, before and after its patches are shuffled",
    shuffled,
)
_identity(
    "no-way-back",
    "The gradient of a settled layer needs no way back through the steps that settled it.",
    "Bai, Kolter and Koltun 2019 (deep equilibrium models)",
    "implicit gradient by the values, against back-propagation through 200 steps of ISTA",
    without_the_way,
)
