"""Gradients of fixed points: implicit, direct and adjoint against each other and against finite differences."""

import pytest
import torch
from tables import dictionary, values

from unroll.attention import create
from unroll.problems import L1, LCA, GELUShrinkage, Reconstruction, Ridge
from unroll.solvers import FISTA, AdjointError, Anderson, Flow, Implicit, Unrolled


def lasso(weight=0.1, f=None):
    f = dictionary() if f is None else f
    return Reconstruction(f.mT @ f, f.mT @ values(f.detach()), L1(weight))


def gradients(solver, penalty=L1):
    """Gradients by templates, values and lambda of a loss that reads out through F a code found from G = F'F."""
    f = dictionary().requires_grad_()
    v = values(f.detach()).requires_grad_()
    weight = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    solution = solver(Reconstruction(f.mT @ f, f.mT @ v, penalty(weight)))
    out = f @ solution.value
    loss = (out * torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)).sum()
    return torch.autograd.grad(loss, (f, v, weight)), solution


@pytest.mark.parametrize(
    "solver",
    [
        Implicit(Anderson(500, tol=1e-12), backward=Anderson(500, tol=1e-12)),
        Implicit(FISTA(3000, tol=1e-12), backward=Anderson(500, tol=1e-12)),
        Implicit(Flow(500, "rk4", tol=1e-12, gradient="direct"), backward=Anderson(500, tol=1e-12)),
        Flow(500, "euler", tol=1e-12, gradient="direct"),
    ],
    ids=["implicit-anderson", "implicit-fista", "implicit-flow", "direct-flow"],
)
@pytest.mark.parametrize("penalty", [L1, Ridge])
def test_gradients_agree_with_a_long_unroll(solver, penalty):
    for ours, long in zip(gradients(solver, penalty)[0], gradients(Unrolled(3000), penalty)[0], strict=True):
        torch.testing.assert_close(ours, long, atol=1e-7, rtol=1e-6)


@pytest.mark.parametrize("penalty", [L1, Ridge])
def test_implicit_gradients_against_finite_differences(penalty):
    solver = Implicit(Anderson(500, tol=1e-13), backward=Anderson(500, tol=1e-13))

    def solve(f, v):
        return f @ solver(Reconstruction(f.mT @ f, f.mT @ v, penalty(0.1))).value

    f = dictionary(batch=2, heads=1, rows=5, atoms=3).requires_grad_()
    assert torch.autograd.gradcheck(solve, (f, values(f.detach(), columns=2).requires_grad_()), atol=1e-6)


def test_the_flow_of_lca_has_the_gradient_of_its_code():
    f = dictionary().requires_grad_()
    problem = LCA(lasso(f=f))
    solver = Implicit(Flow(800, "rk4", tol=1e-12, gradient="direct"), backward=Anderson(500, tol=1e-12))
    code = problem.decode(solver(problem).value)
    expected = Unrolled(3000)(lasso(f=f)).value
    ours, long = (torch.autograd.grad(z.square().sum(), f, retain_graph=True)[0] for z in (code, expected))
    torch.testing.assert_close(ours, long, atol=1e-7, rtol=1e-6)


def test_the_adjoint_of_a_short_flow_agrees_with_back_propagation():
    short = {"until": 2, "tol": None, "rtol": 1e-10, "atol": 1e-12}
    direct, _ = gradients(Flow(**short, gradient="direct"))
    adjoint, _ = gradients(Flow(**short, gradient="adjoint"))
    for ours, theirs in zip(adjoint, direct, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_the_adjoint_of_a_long_flow_is_refused():
    with pytest.raises(AdjointError, match=r'integrated back from time 40 the flow misses its start.*"implicit"'):
        gradients(Flow(40, tol=None, rtol=1e-8, atol=1e-10, gradient="adjoint"))


def saved_bytes(solver):
    total = 0

    def pack(tensor):
        nonlocal total
        total += tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        gradients(solver)
    return total


def test_implicit_memory_does_not_grow_with_the_steps():
    few, many = (saved_bytes(Implicit(Anderson(steps, tol=None))) for steps in (5, 100))
    assert many <= 1.15 * few
    assert saved_bytes(Unrolled(200)) > 5 * saved_bytes(Unrolled(5))


def test_the_backward_system_is_reported():
    _, solution = gradients(Implicit(Anderson(500, tol=1e-10), backward=Anderson(100, tol=1e-9)))
    assert solution.backward.solution.converged.all()
    fresh = Implicit()(lasso(f=dictionary().requires_grad_()))
    assert fresh.backward.solution is None


def test_a_second_derivative_is_refused():
    f = dictionary().requires_grad_()
    value = Implicit(Anderson(300, tol=1e-10))(lasso(f=f)).value
    with pytest.raises(RuntimeError, match=r"no second derivative \(create_graph=True\): use Unrolled, or a Flow with"):
        torch.autograd.grad(value.sum(), f, create_graph=True)


def test_an_attention_layer_takes_any_solver():
    layer, x = create("vars-d", dim=12, heads=3).double(), torch.randn(2, 9, 12, dtype=torch.float64)
    expected = layer.with_solver(Unrolled(3000))(x)
    settling = {
        "anderson": Anderson(300, tol=1e-10),
        "flow": Flow(800, "rk4", tol=1e-10),
        "fista": FISTA(2000, tol=1e-10),
    }
    for solver in (*settling.values(), Implicit(settling["anderson"])):
        torch.testing.assert_close(layer.with_solver(solver)(x), expected, atol=1e-7, rtol=0)


def test_the_published_layer_refuses_implicit_gradients():
    layer = create("vars-d", dim=12, heads=3, published=True).with_solver(Implicit())
    with pytest.raises(
        ValueError, match=r"Implicit needs a fixed point, and VarsD with the penalty 'gelu' or learned factors"
    ):
        layer(torch.randn(2, 9, 12))


def test_refusals():
    p = lasso()
    with pytest.raises(ValueError, match=r"solver must be a Solver such as Anderson\(\), got 5"):
        Implicit(5)
    with pytest.raises(ValueError, match=r"FISTA needs a map that is proximal"):
        Implicit(FISTA(5))(Reconstruction(p.gram, p.correlation, GELUShrinkage(0.1)))
