"""Weights that follow from the dictionary: optimal for what they promise, and blind to round-off."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from unroll.models.lista import analytic_weight, mutual_coherence, symmetric_weight


def dictionary(m=8, n=14, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(m, n, dtype=torch.float64, generator=generator), dim=0)


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_the_analytic_weight_is_optimal(seed):
    atoms = dictionary(6, 11, seed)
    weight = analytic_weight(atoms)

    def objective(w):
        return (w.T @ atoms).square().sum()

    assert torch.allclose((weight * atoms).sum(0), torch.ones(11, dtype=torch.float64), atol=1e-9)
    # A feasible step leaves every product with its own atom at 1.
    change = torch.randn(6, 11, dtype=torch.float64, generator=torch.Generator().manual_seed(seed + 1))
    change = change - atoms * (change * atoms).sum(0)
    for size in (1e-3, 0.1):
        assert objective(weight + size * change) > objective(weight)


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_the_symmetric_weight_is_symmetric_and_optimal_among_its_kind(seed):
    atoms = dictionary(6, 11, seed)
    weight = symmetric_weight(atoms)
    overlap = weight.T @ atoms
    assert torch.allclose(overlap, overlap.T, atol=1e-8)
    assert torch.allclose(overlap.diagonal(), torch.ones(11, dtype=torch.float64), atol=1e-8)
    assert overlap.square().sum() >= (analytic_weight(atoms).T @ atoms).square().sum() - 1e-9
    # Every other feasible W = S A is this one plus a symmetric S that leaves all a' S a at 0.
    generator = torch.Generator().manual_seed(seed)
    symmetric = torch.randn(6, 6, dtype=torch.float64, generator=generator)
    rows = torch.stack([torch.outer(atom, atom).flatten() for atom in atoms.T])
    free = (symmetric + symmetric.T).flatten()
    free = free - torch.linalg.lstsq(rows, (rows @ free)[:, None], driver="gelsd").solution[:, 0]
    for size in (1e-3, 0.1):
        other = (weight + size * free.view(6, 6) @ atoms).T @ atoms
        assert torch.allclose(other.diagonal(), torch.ones(11, dtype=torch.float64), atol=1e-8)
        assert other.square().sum() >= overlap.square().sum() - 1e-9


def test_a_direction_of_round_off_does_not_count():
    atoms = dictionary(8, 14).float()
    flat = F.normalize(
        atoms - atoms.mean(dim=0), dim=0
    )  # patches less their mean: seven directions and a hint of the eighth
    for weight in (analytic_weight(flat), symmetric_weight(flat)):
        assert weight.norm(dim=0).max() < 20
        assert torch.allclose((weight * flat).sum(0), torch.ones(14), atol=1e-4)


def test_coherence_is_the_largest_overlap_of_two():
    atoms = torch.tensor([[1.0, 0.0, 0.6], [0.0, 1.0, 0.8]])
    assert mutual_coherence(atoms).item() == pytest.approx(0.8)
    assert mutual_coherence(torch.eye(3)).item() == 0
