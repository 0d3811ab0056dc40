"""LCA, Hopfield, flows and implicit gradients: identities that tie every way to a fixed point together."""

import pytest
import torch
from tables import PROBLEMS, dictionary, values
from torch.nn import functional as F

from unroll.attention import create
from unroll.contracts import Kind
from unroll.problems import L1, LCA, GELUShrinkage, Hopfield, Reconstruction, Ridge, duality_gap, largest_eigenvalue
from unroll.solvers import FISTA, AdjointError, Anderson, Flow, Implicit, StiffFlowError, Unrolled
from unroll.solvers.flow import ADAPTIVE, FIXED, Field

TIGHT = {"tol": 1e-11, "rtol": 1e-9, "atol": 1e-12}


def lasso(weight=0.1, f=None):
    f = dictionary() if f is None else f
    return Reconstruction(f.mT @ f, f.mT @ values(f.detach()), L1(weight))


def wide_lasso():
    """Templates so alike that |G - I| > 1, where the LCA step expands."""
    f = dictionary(rows=12, atoms=6) + 0.3
    return Reconstruction(f.mT @ f, f.mT @ values(f), L1(0.1), lipschitz=largest_eigenvalue(f.mT @ f))


def test_euler_with_a_unit_step_is_unrolling():
    for problem in (lasso(), LCA(lasso())):
        torch.testing.assert_close(Flow(7, "euler", tol=None)(problem).value, Unrolled(7)(problem).value)


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_flow_settles_in_the_known_solution(name):
    known = PROBLEMS[name]()
    value = Flow(300, "rk4", tol=1e-11)(known.problem).check().value
    torch.testing.assert_close(value, known.solution, atol=1e-8, rtol=0)


@pytest.mark.parametrize("method", FIXED + ADAPTIVE)
def test_every_method_has_the_limit_of_fista(method):
    tolerances = {"tol": 1e-9} if method in FIXED else {"tol": 1e-9, "rtol": 1e-7, "atol": 1e-10}
    expected = FISTA(3000, tol=1e-12)(lasso()).check().value
    value = Flow(200, method, **tolerances)(lasso()).check().value
    torch.testing.assert_close(value, expected, atol=1e-7, rtol=0)


@pytest.mark.parametrize("problem", [lasso, wide_lasso])
def test_lca_settles_in_the_same_code(problem):
    expected = FISTA(5000, tol=1e-12)(problem()).check().value
    potentials = LCA(problem())
    solution = Flow(2000, "rk4", step_size=0.25, tol=1e-11)(potentials).check()
    torch.testing.assert_close(potentials.decode(solution.value), expected, atol=1e-8, rtol=0)
    torch.testing.assert_close(potentials.energy(potentials.decode(solution.value)), problem().energy(expected))


def test_the_lca_step_expands_where_its_flow_settles():
    potentials = LCA(wide_lasso())
    assert (largest_eigenvalue(potentials.reconstruction.gram) - 1 > 1).all()
    assert potentials.kind is Kind.GENERAL
    assert not Unrolled(2000)(potentials).value.abs().max() < 1e3


def test_lca_residual_is_that_of_a_unit_step_on_the_code():
    problem = lasso()
    potentials, u = LCA(problem), torch.randn_like(problem.correlation)
    unit = Reconstruction(problem.gram, problem.correlation, problem.penalty, lipschitz=torch.ones(3, 2).double())
    z = potentials.decode(u)
    torch.testing.assert_close(potentials.residual(u, potentials.step(u, 0)), unit.residual(z, unit.step(z, 0)))


def test_one_hopfield_step_is_attention():
    q, k = torch.randn(2, 3, 4, 8, dtype=torch.float64), torch.randn(2, 3, 6, 8, dtype=torch.float64)
    problem = Hopfield(patterns=k, queries=q)
    torch.testing.assert_close(Unrolled(1)(problem).value, F.scaled_dot_product_attention(q, k, k))
    mask = torch.tensor([True] * 4 + [False] * 2)
    masked = Hopfield(patterns=k, queries=q, mask=mask)
    torch.testing.assert_close(Unrolled(3)(masked).value, Unrolled(3)(Hopfield(k[..., :4, :], q)).value)


def test_hopfield_steps_descend_and_end_in_patterns():
    patterns = F.normalize(torch.randn(2, 5, 16, dtype=torch.float64), dim=-1)
    noisy = patterns[:, :3] + 0.1 * torch.randn(2, 3, 16, dtype=torch.float64)
    problem = Hopfield(patterns, noisy, beta=50.0)
    solution = Unrolled(50)(problem, trace=True)
    assert (solution.trace.energy.diff(dim=0) <= 1e-12).all()
    torch.testing.assert_close(solution.value, patterns[:, :3], atol=1e-3, rtol=0)
    for solver in (Anderson(50, tol=1e-10), Flow(100, tol=1e-9, rtol=1e-7, atol=1e-10)):
        torch.testing.assert_close(solver(problem).check().value, solution.value, atol=1e-6, rtol=0)


def test_bad_hopfield():
    with pytest.raises(ValueError, match=r"queries must have width 4 as the patterns, got 5"):
        Hopfield(torch.zeros(1, 3, 4), torch.zeros(1, 3, 5))
    with pytest.raises(ValueError, match=r"beta must be a finite number > 0, got 0"):
        Hopfield(torch.zeros(1, 3, 4), torch.zeros(1, 3, 4), beta=0)


def test_duality_gap_bounds_the_energy_gap_and_closes():
    f = dictionary()
    v = values(f)
    problem = Reconstruction(f.mT @ f, f.mT @ v, L1(0.2))
    best = problem.energy(FISTA(3000, tol=1e-13)(problem).value)
    for steps in (0, 1, 5, 50):
        code = Unrolled(steps)(problem).value
        gap = duality_gap(problem, code, v.square().sum(-2)).flatten(1).sum(1)
        assert (gap >= problem.energy(code) - best - 1e-12).all()
    assert gap.max() < 1e-6
    with pytest.raises(ValueError, match=r"problem must be sparse reconstruction with L1 and a gram F'F, got Ridge"):
        duality_gap(Reconstruction(f.mT @ f, f.mT @ v, Ridge(0.2)), code, v.square().sum(-2))


@pytest.mark.parametrize("method", ["euler", "dopri5"])
def test_a_sample_does_not_know_the_batch_of_its_flow(method):
    p = lasso()
    flow = Flow(60, method, tol=1e-6, rtol=1e-6)
    whole = flow(p).value
    bound = 1e-10 if method in FIXED else 10 * flow.rtol
    for index in range(3):
        alone = Reconstruction(p.gram[index : index + 1], p.correlation[index : index + 1], p.penalty)
        torch.testing.assert_close(whole[index : index + 1], flow(alone).value, atol=bound, rtol=0)


@pytest.mark.filterwarnings("ignore:some samples did not settle")
@pytest.mark.parametrize("method", ["euler", "dopri5"])
def test_one_nan_sample_stays_alone_in_a_flow(method):
    p = lasso()
    correlation = p.correlation.clone()
    correlation[1, 0, 0, 0] = float("nan")
    flow = Flow(60, method, tol=1e-6, rtol=1e-6)
    spoiled = flow(Reconstruction(p.gram, correlation, p.penalty))
    assert spoiled.converged.tolist() == [True, False, True]
    assert spoiled.value[1].isnan().all()
    torch.testing.assert_close(spoiled.value[[0, 2]], flow(p).value[[0, 2]], atol=1e-5, rtol=0)


def test_the_trace_of_a_flow():
    trace = Flow(50, tol=1e-6, rtol=1e-6)(lasso(), trace=True).trace
    assert trace.flow_time.tolist() == list(range(len(trace.nfe)))
    assert (trace.nfe.diff() > 0).all()
    assert trace.accepted[-1] >= len(trace.nfe) - 1
    assert (trace.rejected.diff() >= 0).all()
    assert trace.residual[-1].max() <= 1e-6
    # dopri5 takes six evaluations a step; starting anew each unit of time costs at most two more.
    steps = trace.accepted[-1] + trace.rejected[-1]
    assert 6 * steps <= trace.nfe[-1] <= 6 * steps + 2 * len(trace.nfe)
    assert FISTA(5)(lasso(), trace=True).trace.flow_time is None


def test_single_precision_stays_single():
    p = lasso()
    single = Reconstruction(p.gram.float(), p.correlation.float(), p.penalty)
    for method in ("rk4", "dopri5"):
        assert Flow(60, method, tol=1e-4)(single).check().value.dtype == torch.float32
    with pytest.raises(ValueError, match=r"rtol must be at least 1.2e-05, 100 units of round-off of torch.float32"):
        Flow(60, rtol=1e-7)(single)


def test_a_flow_that_cannot_be_followed_says_what_to_do():
    class Explosive(Reconstruction):
        """dz/dt = z^2 is infinite after half a unit of time when it starts at 2."""

        def step(self, state, k):
            return state + state.square()

    one = torch.ones(1, 1, 1, dtype=torch.float64)
    with pytest.raises(StiffFlowError, match=r"underflow in dt.*use float64, or a fixed-step method.*safe step bound"):
        Flow(100, tol=None)(Explosive(one[0], one, L1(0.0), initial=2 * one))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"until": 0}, r"until must be a whole number >= 1, got 0"),
        ({"method": "rk5"}, r"unknown method 'rk5': did you mean 'rk4'\?"),
        (
            {"method": "euler", "step_size": 0.3},
            r"step_size must divide the unit of time, such as 1, 0.5.* got 0.3",
        ),
        ({"step_size": 0.5}, r"step_size must be None with the adaptive method dopri5, got 0.5"),
        ({"gradient": "adjont"}, r"unknown gradient 'adjont': did you mean 'adjoint'\?"),
        ({"rtol": 0}, r"rtol must be a finite number > 0, got 0"),
        ({"tol": -1}, r"tol must be a finite number > 0, got -1"),
    ],
)
def test_bad_flows(settings, message):
    with pytest.raises(ValueError, match=message):
        Flow(**settings)


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
    assert saved_bytes(Unrolled(100)) > 5 * saved_bytes(Unrolled(5))


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


def test_refusals():
    p = lasso()
    with pytest.raises(ValueError, match=r"solver must be a Solver such as Anderson\(\), got 5"):
        Implicit(5)
    with pytest.raises(ValueError, match=r"FISTA needs a map that is proximal"):
        Implicit(FISTA(5))(Reconstruction(p.gram, p.correlation, GELUShrinkage(0.1)))


def test_the_field_is_step_minus_state():
    p = lasso()
    z = torch.randn_like(p.correlation)
    field = Field(p, adaptive=False)
    torch.testing.assert_close(field(torch.tensor(0.0), z), p.step(z, 0) - z)
    assert field.calls == 1
