"""Sparse reconstruction: energy, residual, step bounds, shapes."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Lasso
from tables import dictionary, values

from unroll.contracts import Kind
from unroll.problems import BOUNDS, L1, GELUShrinkage, Reconstruction, largest_eigenvalue, power_iteration, row_sum
from unroll.problems.bounds import released_bound
from unroll.solvers import FISTA, Unrolled


def problem(weight=0.2, **settings):
    f = dictionary()
    return Reconstruction(f.mT @ f, f.mT @ values(f), L1(weight), **settings)


def test_step_is_a_proximal_gradient_step():
    p = problem()
    z = torch.randn_like(p.correlation).requires_grad_()
    smooth = (z * (p.gram @ z / 2 - p.correlation)).sum()
    gradient = torch.autograd.grad(smooth, z)[0]
    rate = 1 / row_sum(p.gram)[..., None, None]
    torch.testing.assert_close(p.step(z, 0), p.penalty.prox(z - rate * gradient, rate))


def test_energy_is_the_reconstruction_error_less_a_constant():
    f = dictionary()
    v = values(f)
    p = Reconstruction(f.mT @ f, f.mT @ v, L1(0.2))
    z = torch.randn_like(p.correlation)
    error = (v - f @ z).square().flatten(1).sum(1) / 2 + 0.2 * z.abs().flatten(1).sum(1)
    torch.testing.assert_close(p.energy(z) + v.square().flatten(1).sum(1) / 2, error)


@pytest.mark.parametrize("bound", BOUNDS)
@given(seed=st.integers(0, 10**6), weight=st.floats(0, 2), atoms=st.integers(1, 8))
def test_steps_never_raise_the_energy(bound, seed, weight, atoms):
    generator = torch.Generator().manual_seed(seed)
    f = torch.randn(2, 3, 5, atoms, dtype=torch.float64, generator=generator)
    v = torch.randn(2, 3, 5, 2, dtype=torch.float64, generator=generator)
    gram = f.mT @ f
    p = Reconstruction(gram, f.mT @ v, L1(weight), lipschitz=BOUNDS[bound](gram))
    energy = Unrolled(30)(p, trace=True).trace.energy
    assert (energy.diff(dim=0) <= 1e-9 * (1 + energy[:-1].abs())).all()


@pytest.mark.parametrize("bound", BOUNDS)
@given(seed=st.integers(0, 10**6), atoms=st.integers(1, 9), positive=st.booleans())
def test_bounds_are_bounds(bound, seed, atoms, positive):
    f = torch.randn(2, 7, atoms, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    f = f.exp() if positive else f
    gram = f.mT @ f
    assert (BOUNDS[bound](gram) >= largest_eigenvalue(gram) * (1 - 1e-12)).all()


def test_power_iteration_tightens_from_the_row_sum_to_the_eigenvalue():
    f = torch.rand(4, 20, 8, dtype=torch.float64)
    gram = f.mT @ f
    bounds = torch.stack([power_iteration(gram, iterations) for iterations in (0, 1, 2, 4, 60)])
    torch.testing.assert_close(bounds[0], row_sum(gram))
    assert (bounds.diff(dim=0) <= 1e-12).all()
    torch.testing.assert_close(bounds[-1], largest_eigenvalue(gram))


@pytest.mark.parametrize("iterations", [0, 8, 60, 200])
def test_power_iteration_is_safe_whenever_it_stops(iterations):
    """In float32, with atoms that nothing uses and with powers that underflow."""
    for diagonal in ([1.0, 0.0], [1.0, 1e-6], [1.0, 0.1], [3.0, 2.9], [0.0, 0.0]):
        gram = torch.diag(torch.tensor(diagonal))
        assert power_iteration(gram, iterations) >= max(diagonal) * (1 - 1e-6)


@pytest.mark.parametrize("bound", BOUNDS)
def test_bounds_keep_nan_in_its_sample(bound):
    gram = torch.eye(3).repeat(2, 1, 1)
    gram[0, 1, 1] = float("nan")
    bounds = BOUNDS[bound](gram)
    assert not torch.isfinite(bounds[0])
    torch.testing.assert_close(bounds[1:], BOUNDS[bound](gram[1:]))


def test_the_released_bound_is_a_constant_above_the_row_sum():
    f = torch.randn(2, 7, 4, dtype=torch.float64, requires_grad=True)
    bound = released_bound(f.mT @ f)
    assert torch.equal(bound, 1 + row_sum(f.mT @ f))
    assert not bound.requires_grad


@pytest.mark.parametrize("bound", [name for name in BOUNDS if name != "released"])
def test_bounds_have_exact_gradients_and_survive_an_empty_dictionary(bound):
    f = torch.randn(2, 7, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda f: BOUNDS[bound](f.mT @ f), f)
    empty = torch.zeros(1, 1, 3, 3, requires_grad=True)
    if bound == "largest-eigenvalue":
        return  # the eigenvectors of a zero matrix are arbitrary: no gradient is defined
    p = Reconstruction(empty, torch.zeros(1, 1, 3, 2), L1(0.1), lipschitz=BOUNDS[bound](empty))
    value = Unrolled(3)(p).value
    value.sum().backward()
    assert (value == 0).all()
    assert torch.isfinite(empty.grad).all()


def test_residual_is_zero_exactly_at_the_solution_and_blind_to_the_step_size():
    f = torch.linalg.qr(dictionary())[0]
    c = f.mT @ values(f)
    solution = c.sign() * (c.abs() - 0.2).clamp_min(0)
    small, large = (
        Reconstruction(f.mT @ f, c, L1(0.2), lipschitz=torch.full(c.shape[:2], size, dtype=c.dtype))
        for size in (1.0, 1.5)
    )
    assert small.residual(solution, small.step(solution, 0)).max() < 1e-14
    # Inside one orthant of the code the step is linear in 1 / L, so the residual does not depend on L at all.
    near = solution + 1e-3 * (solution != 0)
    residuals = [p.residual(near, p.step(near, 0)) for p in (small, large)]
    assert (residuals[0] > 1e-4).all()
    torch.testing.assert_close(*residuals)


@pytest.mark.parametrize("weight", [0.05, 0.3])
def test_scikit_learn_agrees(weight):
    """An independent judge: coordinate descent on the same problem, 1 / (2 n) |y - A w|^2 + alpha |w|_1."""
    f = dictionary(batch=2, heads=1, rows=15, atoms=10)
    v = values(f, columns=1)
    p = Reconstruction(f.mT @ f, f.mT @ v, L1(weight), lipschitz=largest_eigenvalue(f.mT @ f))
    ours = FISTA(5000, tol=1e-12)(p).check().value
    for sample in range(2):
        judge = Lasso(alpha=weight / 15, fit_intercept=False, tol=1e-14, max_iter=100_000)
        judge.fit(f[sample, 0].numpy(), v[sample, 0, :, 0].numpy())
        torch.testing.assert_close(ours[sample, 0, :, 0], torch.from_numpy(judge.coef_), atol=1e-8, rtol=0)


def test_leaves_are_detached_and_solve_alike():
    gram = dictionary().mT @ dictionary()
    weight = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    c = (dictionary().mT @ values(dictionary())).requires_grad_()
    p = Reconstruction(gram, c * 2, L1(weight * 1))
    leaves = p.leaves()
    pairs = list(zip(p.tensors(), leaves.tensors(), strict=True))
    assert len(pairs) == 3
    for original, leaf in pairs:
        assert leaf.is_leaf
        assert leaf.requires_grad == original.requires_grad
        assert leaf is not original
    torch.testing.assert_close(Unrolled(7)(leaves).value, Unrolled(7)(p).value)


def test_kinds():
    assert problem().kind is Kind.PROXIMAL
    assert problem(symmetric=False).kind is Kind.GENERAL
    assert problem(symmetric=False).energy(problem().start()) is None
    f = dictionary()
    assert Reconstruction(f.mT @ f, f.mT @ values(f), GELUShrinkage(0.1)).kind is Kind.GENERAL


def test_origins():
    p = problem(origin="correlation")
    torch.testing.assert_close(p.start(), p.penalty.prox(p.correlation, 1.0))
    start = torch.randn_like(p.correlation)
    assert problem(initial=start).start() is start
    assert not problem().start().any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gram": torch.zeros(3, 4)}, r"gram must have shape \[..., M, M\], got \[3, 4\]"),
        ({"correlation": torch.zeros(4, 2)}, r"correlation must have shape \[B, ..., M, D\] with M = 4"),
        ({"correlation": torch.zeros(2, 5, 2)}, r"correlation must have shape .* got \[2, 5, 2\]"),
        ({"gram": torch.zeros(3, 4, 4)}, r"gram must broadcast over .* \[2, 4, 2\], got \[3, 4, 4\]"),
        ({"gram": torch.zeros(2, 1, 4, 4)}, r"gram must broadcast over"),
        ({"initial": torch.zeros(2, 4, 3)}, r"initial must have shape \[2, 4, 2\], got \[2, 4, 3\]"),
        ({"lipschitz": torch.ones(2, 1, 1)}, r"lipschitz must be torch.float32 and broadcast with \[2\], got"),
        (
            {"lipschitz": torch.ones(5)},
            r"lipschitz must be .* broadcast with \[2\], got torch.float32 \[5\]",
        ),
        ({"lipschitz": torch.ones(2).double()}, r"lipschitz must be torch.float32 .* got torch.float64"),
        ({"lipschitz": 3.0}, r"lipschitz must be a tensor, got 3.0"),
        ({"penalty": 0.1}, r"penalty must be a Penalty such as unroll.problems.L1\(0.1\), got 0.1"),
        ({"penalty": L1(torch.ones(3))}, r"weight \(lambda\) must be torch.float32 and broadcast with \[2, 4, 2\]"),
        ({"origin": "zeros"}, r"unknown origin 'zeros': did you mean 'zero'\?"),
    ],
)
def test_bad_input(change, message):
    settings = {"gram": torch.eye(4), "correlation": torch.zeros(2, 4, 2), "penalty": L1(0.1), **change}
    with pytest.raises(ValueError, match=message):
        Reconstruction(**settings)


def test_a_negative_step_bound_is_used_as_it_is():
    """The release divides by a learned number that may turn negative: its arithmetic is kept."""
    p = Reconstruction(torch.eye(2), torch.ones(1, 2, 1), L1(0.0), lipschitz=torch.tensor(-2.0))
    torch.testing.assert_close(p.step(p.start(), 0), torch.full((1, 2, 1), -0.5))
