"""Convolutional reconstruction in the Fourier domain, held against dense matrices."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unroll.attention import create
from unroll.problems import L1, ConvolutionalReconstruction, filtered, real_spectrum
from unroll.solvers import FISTA, Unrolled


def spectrum_of(groups, filters, height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (groups, filters, height, width // 2 + 1)
    return torch.randn(shape, dtype=torch.complex128, generator=generator)


def problem_of(height, width, real=True, groups=2, filters=3, weight=0.2):
    spectrum = spectrum_of(groups, filters, height, width)
    spectrum = real_spectrum(spectrum, width) if real else spectrum
    images = torch.randn(2, groups, 1, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return ConvolutionalReconstruction(spectrum, filtered(images, spectrum), L1(weight)), images


@given(height=st.integers(1, 6), width=st.integers(1, 7))
def test_real_filters_give_a_least_squares_problem(height, width):
    """For a real filter c = F'u, Gamma = F'F, and L is the largest eigenvalue of Gamma."""
    problem, images = problem_of(height, width, filters=2)
    size = problem.correlation[0].numel()
    unit = torch.eye(size, dtype=torch.float64).view(size, *problem.correlation.shape[1:])
    synthesis = problem.synthesis(unit).flatten(1).T  # F, one column an entry of the code
    torch.testing.assert_close(problem.correlation.flatten(1), images.flatten(1) @ synthesis)
    gram = problem._gram(unit).flatten(1).T
    torch.testing.assert_close(gram, synthesis.T @ synthesis)
    torch.testing.assert_close(problem.lipschitz.max(), torch.linalg.eigvalsh(gram)[-1])
    code = torch.randn_like(problem.correlation)
    off = images.flatten(1) - problem.synthesis(code).flatten(1)
    energy = off.square().sum(1) / 2 + 0.2 * code.abs().flatten(1).sum(1) - images.flatten(1).square().sum(1) / 2
    torch.testing.assert_close(problem.energy(code), energy)


def test_free_spectra_are_not_analysis_after_synthesis_but_steps_descend_the_stated_energy():
    problem, _ = problem_of(4, 4, real=False)
    code = torch.randn_like(problem.correlation)
    analysed = filtered(problem.synthesis(code)[:, :, None], problem.spectrum)
    assert (problem._gram(code) - analysed).norm() > 0.1 * analysed.norm()
    energy = Unrolled(30)(problem, trace=True).trace.energy
    assert (energy.diff(dim=0) <= 1e-12).all()


def test_the_settled_code_is_optimal():
    problem, _ = problem_of(5, 4)
    code = FISTA(5000, tol=1e-11)(problem).check().value
    gradient = problem._gram(code) - problem.correlation
    assert problem.penalty.optimality(code, gradient).max() < 1e-8


def test_gradients():
    def solve(spectrum, images):
        spectrum = real_spectrum(torch.view_as_complex(spectrum), 3)
        return Unrolled(2)(ConvolutionalReconstruction(spectrum, filtered(images, spectrum), L1(0.1))).value

    spectrum = torch.view_as_real(spectrum_of(1, 2, 3, 3)).requires_grad_()
    images = torch.randn(1, 1, 1, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(solve, (spectrum, images))


def test_half_precision_is_transformed_in_float32():
    layer = create("vars-s", dim=8, heads=2, grid=(3, 5)).bfloat16()
    y = layer(torch.randn(2, 15, 8).bfloat16())
    assert y.dtype == torch.bfloat16
    assert torch.isfinite(y).all()


def test_wrong_shapes():
    spectrum = spectrum_of(2, 3, 4, 4)
    images = torch.randn(2, 2, 3, 4, 5, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"spectrum must have shape \[2, 3, 4, 3\], got \[2, 3, 4, 2\]"):
        ConvolutionalReconstruction(spectrum[..., :2], images[..., :4], L1(0.1))
    with pytest.raises(ValueError, match=r"correlation must have shape \[batch, groups, filters, height, width\]"):
        ConvolutionalReconstruction(spectrum, images[0], L1(0.1))
    with pytest.raises(ValueError, match=r"lipschitz must have shape \[2\], got \[3\]"):
        ConvolutionalReconstruction(spectrum, images[..., :4], L1(0.1), torch.ones(3))
