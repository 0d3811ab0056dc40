"""LCA, Hopfield and flows: identities that tie every way to a fixed point together."""

import pytest
import torch
from tables import PROBLEMS, dictionary, values
from torch.nn import functional as F

from unroll.contracts import Kind
from unroll.problems import L1, LCA, Hopfield, Reconstruction, Ridge, duality_gap, largest_eigenvalue
from unroll.solvers import FISTA, Anderson, Flow, StiffFlowError, Unrolled
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


def test_the_field_is_step_minus_state():
    p = lasso()
    z = torch.randn_like(p.correlation)
    field = Field(p, adaptive=False)
    torch.testing.assert_close(field(torch.tensor(0.0), z), p.step(z, 0) - z)
    assert field.calls == 1
