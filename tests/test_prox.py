"""Proximal operators and penalties, held against the minimisation they solve."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unroll.problems import (
    L1,
    ElasticNet,
    GELUShrinkage,
    GroupL2,
    HardThreshold,
    NonNegativeL1,
    Ridge,
    gelu_shrinkage,
    group_soft_threshold,
    nonnegative_soft_threshold,
    penalties,
    soft_threshold,
)

# On a single entry a group is the entry, and the hard threshold is a proximal operator too, of a non-convex function.
PROXIMAL = [L1, NonNegativeL1, Ridge, ElasticNet, GroupL2, HardThreshold]
numbers = st.floats(-5, 5, allow_nan=False)
sizes = st.floats(0, 3)


@pytest.mark.parametrize("penalty", PROXIMAL)
@given(v=numbers, weight=sizes, scale=st.floats(0.1, 2))
def test_prox_is_the_minimiser(penalty, v, weight, scale):
    """No point of a fine grid is better than what the operator returns."""
    p = penalty(weight)
    z = p.prox(torch.tensor([[v]], dtype=torch.float64), scale)
    grid = torch.linspace(-6, 6, 4001, dtype=torch.float64)[:, None]

    def objective(candidates):
        return (candidates - v).square().sum(1) / 2 + scale * p.value(candidates)

    assert objective(z).item() <= objective(grid).min().item() + 1e-9


@given(a=numbers, b=numbers, threshold=sizes)
@pytest.mark.parametrize("operator", [soft_threshold, nonnegative_soft_threshold])
def test_prox_is_non_expansive(operator, a, b, threshold):
    a, b = (torch.tensor([value], dtype=torch.float64) for value in (a, b))
    assert (operator(a, threshold) - operator(b, threshold)).abs() <= (a - b).abs() + 1e-12


@given(threshold=sizes)
@pytest.mark.parametrize("operator", [soft_threshold, nonnegative_soft_threshold, gelu_shrinkage])
def test_number_and_tensor_thresholds_agree(operator, threshold):
    v = torch.linspace(-4, 4, 81, dtype=torch.float64)
    torch.testing.assert_close(operator(v, threshold), operator(v, torch.tensor(threshold, dtype=torch.float64)))


def test_soft_threshold_has_exact_zeros_and_gelu_has_none():
    v = torch.linspace(-0.99, 0.99, 100)
    assert (soft_threshold(v, 1.0) == 0).all()
    assert (gelu_shrinkage(v, 1.0) != 0).all()
    assert (gelu_shrinkage(v, 1.0).sign() == -v.sign()).all()  # the wrong sign below the threshold


@pytest.mark.parametrize("name", penalties.names())
def test_prox_keeps_nan(name):
    """A sample that is not finite must not turn into a code of zeros, as if it were well."""
    v = torch.tensor([[float("nan"), 1.0, -3.0]])
    assert penalties[name](0.5).prox(v, 1.0)[0, 0].isnan()


def test_soft_threshold_gradients():
    v = torch.randn(20, dtype=torch.float64, requires_grad=True)
    t = torch.rand(20, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(soft_threshold, (v, t))


@pytest.mark.parametrize("name", penalties.names())
@pytest.mark.parametrize("weight", [-0.1, float("nan"), float("inf"), "much"])
def test_bad_weight_is_refused(name, weight):
    with pytest.raises(ValueError, match=r"weight \(lambda\) must be a finite number >= 0, got"):
        penalties[name](weight)


def test_values():
    code = torch.tensor([[1.0, -2.0], [0.0, 3.0]])
    assert L1(2.0).value(code).tolist() == [6.0, 6.0]
    assert NonNegativeL1(2.0).value(code).tolist() == [float("inf"), 6.0]
    assert Ridge(2.0).value(code).tolist() == [5.0, 9.0]
    assert GELUShrinkage(2.0).value(code) is None
    assert not GELUShrinkage.proximal


def test_group_shrinkage_is_the_minimiser_over_rows():
    v = torch.tensor([[[3.0, 4.0]]], dtype=torch.float64)
    z = group_soft_threshold(v, 1.0)
    torch.testing.assert_close(z, v * 0.8)
    penalty = GroupL2(1.0)
    for _ in range(200):
        other = z + 0.3 * torch.randn_like(z)
        assert ((other - v).square().sum() / 2 + penalty.value(other)) >= (z - v).square().sum() / 2 + penalty.value(z)


@pytest.mark.parametrize("penalty", [L1, NonNegativeL1, Ridge, ElasticNet, GroupL2])
@given(weight=st.floats(0.01, 2), seed=st.integers(0, 10**6))
def test_optimality_is_zero_exactly_at_the_minimiser(penalty, weight, seed):
    """z = prox(v) is optimal for 1/2 |z - v|^2 + p(z), whose smooth part has the gradient z - v; a moved z is not."""
    v = torch.randn(2, 5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    p = penalty(weight)
    z = p.prox(v, 1.0)
    assert p.optimality(z, z - v).max() < 1e-12
    moved = z + 0.1
    assert p.optimality(moved, moved - v).max() > 1e-3


def test_the_gelu_shrinkage_has_no_optimality():
    with pytest.raises(ValueError, match=r"the GELU shrinkage is the step of no penalty"):
        GELUShrinkage(1.0).optimality(torch.zeros(1), torch.zeros(1))


@pytest.mark.parametrize("ratio", [-0.1, 1.5])
def test_bad_ratio(ratio):
    with pytest.raises(ValueError, match=r"ratio must lie between 0 and 1, got"):
        ElasticNet(1.0, ratio=ratio)
