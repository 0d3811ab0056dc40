"""The gradient by the pixels, which attacks follow, through every solver."""

import pytest
import torch
from tables import SMALL
from torch.nn import functional as F

from unroll.solvers import FISTA, Anderson, Flow, Implicit, Unrolled
from unroll.study import Entry, build, load
from unroll.study.attacks.attack import losses_and_slope

DATA = load("digits").test.first(1)
TIGHT = Anderson(300, tol=1e-9, history=10)
BACK = Anderson(300, tol=1e-9, history=20)
SOLVERS = {
    "unrolled": Unrolled(5),
    "fista": FISTA(8),
    "anderson": Anderson(8, tol=None, history=3),
    "flow": Flow(1000, "euler", tol=1e-7),
    "flow, direct": Flow(3, "rk4", step_size=0.5, gradient="direct", tol=None),
    "implicit": Implicit(TIGHT, BACK),
    "implicit, fista": Implicit(FISTA(3000, tol=1e-9), BACK),
}


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", ["vars-d", "hopfield"])
def test_the_gradient_by_the_pixels_comes_through_every_solver(name, solver):
    """An attack follows this gradient: it must be that of the loss, by finite differences."""
    if name == "hopfield" and isinstance(getattr(SOLVERS[solver], "solver", SOLVERS[solver]), FISTA):
        pytest.skip("Hopfield's step is not proximal")
    torch.manual_seed(0)
    options = {"weight": 0.05, "templates": 3} if name == "vars-d" else {}
    model = build(Entry(name, {"solver": SOLVERS[solver], **options}), load("digits"), SMALL).double().eval()
    images, labels = DATA.images[:1].double(), DATA.labels[:1]
    _, slope = losses_and_slope(model, images, labels)
    assert slope.abs().flatten(1).sum(dim=1).min() > 1e-3
    generator, size = torch.Generator().manual_seed(0), 1e-5
    for _ in range(2):
        way = torch.randn(images.shape, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            up, down = (F.cross_entropy(model(images + s * size * way), labels, reduction="sum") for s in (1, -1))
        assert (slope * way).sum().item() == pytest.approx(((up - down) / (2 * size)).item(), rel=3e-3, abs=1e-6)
