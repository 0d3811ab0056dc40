"""Proximal operators and penalties, held against the minimisation they solve."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unroll.problems import (
    L1,
    GELUShrinkage,
    NonNegativeL1,
    Ridge,
    gelu_shrinkage,
    nonnegative_soft_threshold,
    penalties,
    soft_threshold,
)

PROXIMAL = [L1, NonNegativeL1, Ridge]
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
