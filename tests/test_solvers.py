"""Every solver on every problem it accepts, and the promises of the one loop."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tables import PROBLEMS, SOLVERS, dictionary, values

from unroll.problems import L1, GELUShrinkage, Reconstruction, Ridge
from unroll.solvers import FISTA, NotConvergedError, Unrolled, from_dict, solvers

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
@pytest.mark.parametrize("penalty", [L1, Ridge])
def test_gradients(solver, penalty):
    """Through six steps, by templates, values and lambda."""
    short = type(SOLVERS[solver])(6)
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
    assert trace.residual[0].min() > 0.1 > 1e-6 > trace.residual[-1].max()
    torch.testing.assert_close(trace.energy[-1], p.energy(solution.value))
    torch.testing.assert_close(trace.sparsity[-1], (solution.value == 0).flatten(1).double().mean(1))
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
@pytest.mark.filterwarnings("ignore:1 of 3 samples did not reach tol")
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
    with pytest.warns(RuntimeWarning, match=r"3 of 3 samples did not reach tol = 1e-06 in 2 steps"):
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
    for solver in (Unrolled(steps), FISTA(steps, restart=restart, tol=1e-3)):
        assert from_dict(json.loads(json.dumps(solver.to_dict()))) == solver


def test_bad_settings():
    with pytest.raises(ValueError, match=r"unknown solver 'unroled': did you mean 'unrolled'\?"):
        from_dict({"name": "unroled"})
    with pytest.raises(ValueError, match=r"settings .* do not fit Unrolled"):
        from_dict({"name": "unrolled", "stepz": 3})
    assert set(solvers.names()) == {"unrolled", "fista"}
