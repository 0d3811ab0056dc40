"""Unrolled networks: their parents, their identities, their gradients, and what they refuse."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from unroll import FISTA, L1, Reconstruction, Unrolled
from unroll.models.lista import (
    ALISTA,
    LAMP,
    LISTA,
    LISTACP,
    HyperLISTA,
    NeurallyAugmentedALISTA,
    StepLISTA,
    UnrolledADMM,
    bernoulli_gauss_mean,
    networks,
)
from unroll.problems import hard_threshold, largest_eigenvalue, soft_threshold, support_threshold

# Every registered network, and the settings that take another path through the code.
TABLE = {
    **{name: (name, {}) for name in networks if name != "convolutional"},  # signals are images there
    "lista tied": ("lista", {"tied": True}),
    "lista-cp tied": ("lista-cp", {"tied": True}),
    "lista-cpss": ("lista-cp", {"trusted": 20.0, "growth": 10.0}),
    "alista with all": ("alista", {"momentum": True, "adaptive": True, "growth": 10.0}),
    "lista-cp analytic": ("lista-cp", {"start": "analytic"}),
    "alista thresholded": ("alista", {"trusted": 0.0}),
}


def dictionary(m=8, n=14, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(m, n, dtype=torch.float64, generator=generator), dim=0)


def sparse_signals(atoms, count=5, seed=1):
    generator = torch.Generator().manual_seed(seed)
    shape = (count, atoms.shape[1])
    codes = torch.randn(shape, dtype=torch.float64, generator=generator)
    codes = codes * (torch.rand(shape, generator=generator) < 0.2)
    return codes @ atoms.T


def make(label, layers=4):
    name, options = TABLE[label]
    torch.manual_seed(0)
    network = networks[name](dictionary(), layers, **options)
    with torch.no_grad():  # off the symmetric start, where some gradients vanish by design
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn_like(parameter).abs()
    return network


def ista(atoms, signals, weight, steps):
    gram = atoms.T @ atoms
    problem = Reconstruction(gram, (atoms.T @ signals.T)[None], L1(weight), lipschitz=largest_eigenvalue(gram))
    return Unrolled(steps)(problem).value[0].T


@pytest.mark.parametrize("label", TABLE)
def test_depth_cuts_the_same_course_short(label):
    network, signals = make(label), sparse_signals(dictionary())
    course = network.course(signals)
    assert course.shape == (5, 5, 14)
    for depth in range(5):
        assert torch.equal(network(signals, depth), course[depth])
    solution = network.solve(signals)
    assert torch.equal(solution.value, course[-1])
    assert solution.converged is None
    assert solution.trace.nfe.tolist() == [0, 1, 2, 3, 4]
    assert torch.allclose(solution.trace.sparsity, (course == 0).float().mean(2))


@pytest.mark.parametrize("label", TABLE)
def test_gradients_are_exact(label):
    network = make(label, layers=3)
    signals = sparse_signals(dictionary(), count=2).requires_grad_()
    learned = [parameter for parameter in network.parameters() if parameter.numel() < 40]

    def run(signals, *_):
        return network(signals)

    assert torch.autograd.gradcheck(run, (signals, *learned), atol=1e-6)


@pytest.mark.parametrize("label", TABLE)
def test_every_parameter_gets_a_gradient(label):
    network = make(label)
    network(sparse_signals(dictionary(), count=40)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("label", TABLE)
def test_samples_do_not_hear_each_other_and_nan_stays_alone(label):
    network, signals = make(label), sparse_signals(dictionary())
    whole = network(signals)
    assert torch.allclose(torch.cat([network(part) for part in signals.split(2)]), whole, atol=1e-12)
    spoiled = signals.clone()
    spoiled[1, 0] = math.nan
    others = [0, 2, 3, 4]
    result = network(spoiled)
    assert result[1].isnan().any()
    assert torch.allclose(result[others], whole[others], atol=1e-12)


@pytest.mark.parametrize("label", TABLE)
def test_built_again_from_its_settings(label):
    network = make(label)
    plain = network.to_dict()
    again = networks[plain.pop("name")](dictionary(), **plain)
    again.load_state_dict(network.state_dict())
    signals = sparse_signals(dictionary())
    assert torch.allclose(again(signals), network(signals), atol=1e-12)  # weights are worked out anew


@pytest.mark.parametrize("label", TABLE)
def test_another_dictionary_keeps_what_was_learned(label):
    network, other = make(label), dictionary(seed=3)
    moved = network.with_dictionary(other)
    assert torch.equal(moved.dictionary, other)
    assert all(torch.equal(mine, its) for mine, its in zip(moved.parameters(), network.parameters(), strict=True))
    with pytest.raises(ValueError, match=r"dictionary must have shape \[8, 14\], got \[8, 15\]"):
        network.with_dictionary(dictionary(8, 15))


def constant(network, threshold):
    with torch.no_grad():
        network.log_thresholds.fill_(math.log(threshold))
    return network


@pytest.mark.parametrize("family", [StepLISTA, LISTA, LISTACP])
def test_unlearned_they_are_ista(family):
    atoms, signals = dictionary(), sparse_signals(dictionary())
    lipschitz = torch.linalg.matrix_norm(atoms, ord=2).square().item()
    network = constant(family(atoms, 7), 0.4 / lipschitz)
    assert torch.allclose(network(signals), ista(atoms, signals, 0.4, 7), atol=1e-10)


def test_admm_run_long_solves_the_lasso():
    atoms, signals = dictionary(), sparse_signals(dictionary())
    gram = atoms.T @ atoms
    problem = Reconstruction(gram, (atoms.T @ signals.T)[None], L1(0.1), lipschitz=largest_eigenvalue(gram))
    goal = FISTA(5_000)(problem).value[0].T
    for penalty in (0.5, 2.0):
        assert torch.allclose(UnrolledADMM(atoms, 3_000, weight=0.1, penalty=penalty)(signals), goal, atol=1e-7)


@given(st.integers(0, 10_000), st.floats(0.0, 2.0))
@settings(max_examples=25, deadline=None)
def test_support_threshold_lies_between_soft_and_hard(seed, threshold):
    v = torch.randn(4, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(support_threshold(v, threshold, 0), soft_threshold(v, threshold))
    assert torch.equal(support_threshold(v, threshold, 9), hard_threshold(v, threshold**2 / 2))
    ranks = torch.tensor([0, 3, 9, 40])
    each = torch.cat([support_threshold(v[i : i + 1], threshold, min(int(ranks[i]), 9)) for i in range(4)])
    assert torch.equal(support_threshold(v, threshold, ranks), each)


@pytest.mark.parametrize("family", [HyperLISTA, NeurallyAugmentedALISTA])
def test_what_reads_the_signal_is_free_of_its_scale(family):
    network, signals = make(networks.name_of(family)), sparse_signals(dictionary())
    assert torch.allclose(network(10 * signals), 10 * network(signals), atol=1e-9)


def test_hyperlista_takes_any_number_of_layers():
    network = HyperLISTA(dictionary(), 3)
    assert torch.equal(network.course(sparse_signals(dictionary()), 9)[3], network(sparse_signals(dictionary())))


def test_the_shrinkage_of_lamp_is_the_posterior_mean():
    density, variance, spread = 0.2, 1.5, 0.3
    observed = torch.linspace(-4, 4, 9, dtype=torch.float64)[None].requires_grad_()
    odds = torch.tensor(math.log(density / (1 - density)), dtype=torch.float64)
    mean, slope = bernoulli_gauss_mean(
        observed, torch.full((1, 1), spread, dtype=torch.float64), odds, torch.tensor(variance, dtype=torch.float64)
    )
    grid = torch.linspace(-12, 12, 40_001, dtype=torch.float64)
    prior = density * torch.exp(-grid.square() / (2 * variance)) / math.sqrt(2 * math.pi * variance)
    likelihood = torch.exp(-(observed[0].detach()[:, None] - grid).square() / (2 * spread))
    width = grid[1] - grid[0]
    silent = (1 - density) * torch.exp(-observed[0].detach().square() / (2 * spread))
    expected = (likelihood * prior * grid).sum(1) * width / ((likelihood * prior).sum(1) * width + silent)
    assert torch.allclose(mean[0], expected, atol=1e-8)
    assert torch.allclose(slope, torch.autograd.grad(mean.sum(), observed)[0], atol=1e-10)


def test_lamp_needs_no_training_where_its_assumptions_hold():
    generator = torch.Generator().manual_seed(0)
    atoms = F.normalize(torch.randn(125, 250, generator=generator), dim=0)
    codes = torch.randn(200, 250, generator=generator) * (torch.rand(200, 250, generator=generator) < 0.1)
    error = (LAMP(atoms, 16)(codes @ atoms.T) - codes).square().sum() / codes.square().sum()
    assert 10 * error.log10() < -30


REFUSALS = [
    (lambda: ALISTA(torch.eye(4)[None]), r"dictionary must have shape \[m, n\], got \[1, 4, 4\]"),
    (lambda: ALISTA(torch.full((2, 3), math.nan)), "dictionary must be finite, got NaN or infinity"),
    (lambda: ALISTA(torch.tensor([[1.0, 0.0]])), r"no column of zeros, got zeros in columns \[1\]"),
    (lambda: ALISTA(torch.eye(4), 0), "layers must be a whole number >= 1, got 0"),
    (lambda: ALISTA(torch.eye(4), trusted=101.0), "trusted must lie between 0 and 100 per cent, got 101.0"),
    (lambda: ALISTA(torch.eye(4), growth=-1.0), "growth must lie between 0 and 100 per cent, got -1.0"),
    (lambda: LISTACP(torch.eye(4), start="analytical"), "unknown start 'analytical': did you mean 'analytic'"),
    (lambda: HyperLISTA(torch.eye(4), constants=(1.0, -1.0, 1.0)), "c2 must be a finite number >= 0, got -1.0"),
    (lambda: NeurallyAugmentedALISTA(torch.eye(4), hidden=0), "hidden must be a whole number >= 1, got 0"),
    (lambda: UnrolledADMM(torch.eye(4), weight=0.0), "weight must be a finite number > 0, got 0.0"),
    (lambda: UnrolledADMM(torch.eye(4), penalty=-1.0), "penalty must be a finite number > 0, got -1.0"),
    (lambda: LAMP(torch.eye(4), density=1.0), "density must lie between 0 and 1, both excluded, got 1.0"),
    (lambda: LAMP(torch.eye(4), variance=0.0), "variance must be a finite number > 0, got 0.0"),
    (lambda: networks["alsta"], "unknown unrolled network 'alsta': did you mean 'alista'"),
    (lambda: support_threshold(torch.ones(3), 1.0, 1), r"v must have shape \[B, n\], got \[3\]"),
    (lambda: support_threshold(torch.ones(2, 3), 1.0, -1), "trusted must be a whole number >= 0, got -1"),
    (lambda: support_threshold(torch.ones(2, 3), 1.0, torch.ones(3)), r"trusted must have shape \[2\], got \[3\]"),
]


@pytest.mark.parametrize(("call", "message"), REFUSALS, ids=[message[:40] for _, message in REFUSALS])
def test_bad_settings_get_one_clear_error(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("label", TABLE)
def test_bad_signals_get_one_clear_error(label):
    network = make(label)
    with pytest.raises(ValueError, match=r"signals must have shape \[B, 8\], got \[2, 9\]"):
        network(torch.zeros(2, 9, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"must have the dtype of the dictionary, torch\.float64, got torch\.float32"):
        network(torch.zeros(2, 8))
    if label != "hyperlista":
        with pytest.raises(ValueError, match="depth must be at most 4, the number of layers, got 5"):
            network(torch.zeros(2, 8, dtype=torch.float64), depth=5)


def test_a_step_indexed_problem_is_refused_by_other_solvers():
    problem = ALISTA(dictionary(), 3).bind(sparse_signals(dictionary()))
    with pytest.raises(ValueError, match="step-indexed"):
        FISTA(3)(problem)
