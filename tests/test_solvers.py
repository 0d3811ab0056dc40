"""Every solver on every problem it accepts, and the promises of the one loop."""

import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tables import PROBLEMS, SOLVERS, dictionary, values

from unroll.problems import L1, ElasticNet, GELUShrinkage, GroupL2, Reconstruction, Ridge
from unroll.solvers import FISTA, Anderson, Flow, Implicit, NotConvergedError, Unrolled, from_dict, solvers
from unroll.solvers.anderson import _Mixing

CROSSED = [(problem, solver) for problem in PROBLEMS for solver in SOLVERS]


def lasso(weight=0.1):
    f = dictionary()
    return Reconstruction(f.mT @ f, f.mT @ values(f), L1(weight))


@pytest.mark.parametrize(("problem", "solver"), CROSSED)
def test_known_solutions(problem, solver):
    known = PROBLEMS[problem]()
    solution = SOLVERS[solver](known.problem).check()
    torch.testing.assert_close(solution.value, known.solution, atol=1e-8, rtol=0)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("penalty", [L1, Ridge, ElasticNet, GroupL2])
@pytest.mark.filterwarnings("ignore:some samples did not reach tol")
def test_gradients(solver, penalty):
    """Through six steps, by templates, values and lambda."""
    short = replace(SOLVERS[solver], steps=6)
    f = dictionary(batch=2, heads=1, rows=5, atoms=3).requires_grad_()
    v = values(f.detach(), columns=2).requires_grad_()
    weight = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)

    def solve(f, v, weight):
        return short(Reconstruction(f.mT @ f, f.mT @ v, penalty(weight))).value

    assert torch.autograd.gradcheck(solve, (f, v, weight))


@pytest.mark.parametrize("solver", SOLVERS)
def test_trace(solver):
    p = lasso()
    solution = SOLVERS[solver](p, trace=True)
    trace = solution.trace
    count = len(trace.nfe)
    assert trace.nfe.tolist() == list(range(count))  # these solvers call step once an iteration
    assert trace.residual.shape == trace.energy.shape == trace.sparsity.shape == (count, 3)
    assert (trace.time.diff() > 0).all()
    assert trace.residual[0].min() > 0.1
    assert trace.residual[-1].max() < 1e-6
    torch.testing.assert_close(trace.energy[-1], p.energy(solution.value))
    torch.testing.assert_close(trace.sparsity[-1], (solution.value == 0).flatten(1).float().mean(1))
    assert not trace.residual.requires_grad
    torch.testing.assert_close(solution.value, SOLVERS[solver](p).value)  # looking changes nothing


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_sample_does_not_know_the_batch(solver):
    p = lasso()
    whole = SOLVERS[solver](p).value
    for index in range(3):
        alone = Reconstruction(p.gram[index : index + 1], p.correlation[index : index + 1], p.penalty)
        torch.testing.assert_close(whole[index : index + 1], SOLVERS[solver](alone).value, atol=1e-10, rtol=0)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.filterwarnings("ignore:some samples did not reach tol")
def test_one_nan_sample_stays_alone(solver):
    p = lasso()
    correlation = p.correlation.clone()
    correlation[1, 0, 0, 0] = float("nan")
    spoiled = SOLVERS[solver](Reconstruction(p.gram, correlation, p.penalty))
    torch.testing.assert_close(spoiled.value[[0, 2]], SOLVERS[solver](p).value[[0, 2]], atol=1e-10, rtol=0)
    if spoiled.converged is not None:
        assert spoiled.converged.tolist() == [True, False, True]
    with pytest.raises(NotConvergedError, match=r"samples \[1\] hold NaN or infinity"):
        spoiled.check()


def test_unrolled_is_ista_step_by_step():
    p = lasso()
    z = p.start()
    for k in range(5):
        z = p.step(z, k)
    assert torch.equal(Unrolled(5)(p).value, z)
    assert torch.equal(Unrolled(0)(p).value, p.start())
    assert Unrolled(5)(p).converged is None


def test_the_first_two_steps_of_fista_are_plain():
    p = lasso()
    for steps in (0, 1, 2):
        torch.testing.assert_close(FISTA(steps)(p).value, Unrolled(steps)(p).value)
    assert not torch.equal(FISTA(3, restart=False)(p).value, Unrolled(3)(p).value)


def test_fista_needs_fewer_steps_and_restart_helps():
    f = dictionary(batch=2, heads=1, rows=30, atoms=25) + 0.7  # templates with a common part: ill-conditioned
    p = Reconstruction(f.mT @ f, f.mT @ values(f), L1(0.01))
    residual = {
        name: solver(p, trace=True).trace.residual[-1].max().item()
        for name, solver in {
            "ista": Unrolled(1500),
            "fista": FISTA(1500, restart=False),
            "restart": FISTA(1500),
        }.items()
    }
    assert residual["restart"] < 1e-2 * residual["fista"] < 1e-2 * residual["ista"]


def test_samples_stop_one_by_one():
    p = lasso()
    easy = p.correlation * torch.tensor([1.0, 1e-3, 1.0], dtype=torch.float64).view(3, 1, 1, 1)  # zero code at once
    solution = FISTA(300, tol=1e-6)(Reconstruction(p.gram, easy, p.penalty), trace=True)
    assert solution.converged.all()
    assert not solution.value[1].any()
    assert solution.trace.nfe[-1] < 300
    assert (solution.trace.residual[-1] <= 1e-6).all()


def test_no_convergence_warns_and_check_raises():
    with pytest.warns(
        RuntimeWarning, match=r"some samples did not reach tol = 1e-06 within 2 steps: see Solution.converged"
    ):
        solution = FISTA(2, tol=1e-6)(lasso())
    with pytest.raises(NotConvergedError, match=r"samples \[0, 1, 2\] did not reach the tolerance: allow more steps"):
        solution.check()


def test_refusals():
    p = lasso()
    with pytest.raises(ValueError, match=r"FISTA needs a map that is proximal, but Reconstruction .* is general"):
        FISTA(5)(Reconstruction(p.gram, p.correlation, GELUShrinkage(0.1)))
    with pytest.raises(ValueError, match=r"steps must be a whole number >= 0, got -1"):
        Unrolled(-1)
    with pytest.raises(ValueError, match=r"steps must be a whole number >= 0, got 2.5"):
        FISTA(2.5)
    with pytest.raises(ValueError, match=r"tol must be a finite number > 0, got 0"):
        FISTA(5, tol=0)
    single = Reconstruction(p.gram.float(), p.correlation.float(), p.penalty)
    with pytest.raises(ValueError, match=r"tol must be at least 1.2e-05, 100 units of round-off of torch.float32"):
        FISTA(5, tol=1e-8)(single)


@given(steps=st.integers(0, 99), restart=st.booleans())
def test_settings_survive_json(steps, restart):
    fista = FISTA(steps, restart=restart, tol=1e-3)
    flow = Flow(steps + 1, "rk4", step_size=0.5, gradient="direct")
    for solver in (Unrolled(steps), fista, flow, Anderson(steps, tol=None), Implicit(fista, backward=Anderson(steps))):
        assert from_dict(json.loads(json.dumps(solver.to_dict()))) == solver


def test_bad_settings():
    with pytest.raises(ValueError, match=r"unknown solver 'unroled': did you mean 'unrolled'\?"):
        from_dict({"name": "unroled"})
    with pytest.raises(ValueError, match=r"settings .* do not fit Unrolled"):
        from_dict({"name": "unrolled", "stepz": 3})
    assert set(solvers.names()) == {"unrolled", "fista", "anderson", "flow", "implicit"}


def test_the_warning_points_at_the_caller():
    with pytest.warns(RuntimeWarning, match="some samples") as caught:
        FISTA(2, tol=1e-6)(lasso())
    assert caught[0].filename == __file__


def test_anderson_beats_plain_steps_on_ill_conditioned_templates():
    f = dictionary(batch=2, heads=1, rows=30, atoms=25) + 0.7
    p = Reconstruction(f.mT @ f, f.mT @ values(f), L1(0.01))
    solution = Anderson(1500, tol=1e-8)(p, trace=True)
    assert solution.converged.all()
    assert solution.trace.nfe[-1] < 1200
    assert Unrolled(1500)(p, trace=True).trace.residual[-1].max() > 1e-3


def test_anderson_survives_a_singular_history():
    """Twice the same move: the normal equations are singular but for the regularisation."""

    class Constant(Reconstruction):
        def step(self, state, k):
            return state + 1

    p = lasso()
    drifting = Constant(p.gram, p.correlation, p.penalty)
    assert torch.isfinite(Anderson(20, tol=None)(drifting).value).all()


def test_anderson_solves_a_linear_map_that_expands():
    """Plain iteration runs away; two points are enough to solve a map with a single slope."""

    class Expanding(Reconstruction):
        def step(self, state, k):
            return -3 * state + self.correlation

    p = lasso()
    solution = Anderson(10, tol=1e-8)(Expanding(p.gram, p.correlation, p.penalty)).check()
    torch.testing.assert_close(solution.value, p.correlation / 4)


def column(*numbers):
    """One number a sample, as a state [B, 1, 1]."""
    return torch.tensor(numbers, dtype=torch.float64).view(-1, 1, 1)


def test_anderson_takes_the_plain_step_where_mixing_made_things_worse():
    """Two samples with the same moves (1, then 1/2: mixing jumps to 2), until the second meets a cliff."""
    mixing = _Mixing(history=5, regularisation=1e-12, growth=2.0)
    _, point = mixing(column(0, 0), column(0, 0), column(1, 1))
    torch.testing.assert_close(point, column(1, 1))  # nothing to mix yet
    _, point = mixing(column(1, 1), point, column(1.5, 1.5))
    torch.testing.assert_close(point, column(2, 2), atol=1e-6, rtol=0)
    iterate, point = mixing(column(1.5, 1.5), point, column(2.25, 50))
    torch.testing.assert_close(iterate, column(2.25, 1.5))  # the jump is undone: the last good answer stands,
    assert point[1].item() == 1.5  # and the plain step of the last good point is where to go on,
    assert abs(point[0].item() - 2.5) < 0.6  # which is none of the first sample's business.
    iterate, point = mixing(iterate, column(2.5, 1.5), column(2.5, 7.5))
    assert iterate[1].item() == point[1].item() == 7.5  # a point that a plain step led to is kept, its history anew


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_anderson_never_keeps_a_point_that_is_not_finite(bad):
    mixing = _Mixing(history=5, regularisation=1e-12, growth=2.0)
    mixing(column(0, 0), column(0, 0), column(1, 1))
    iterate, point = mixing(column(1, 1), column(1, 1), column(1.5, bad))
    assert iterate[1].item() == point[1].item() == 1
    assert torch.isfinite(point).all()
