"""Patches and crops of photographs as tasks of recovery, and the dictionary that is learned from them."""

from dataclasses import replace

import pytest
import torch

from unroll import FISTA
from unroll.models.lista import ConvolutionalLISTA
from unroll.study.recovery import (
    Classical,
    Patches,
    Schedule,
    by_layer,
    evaluation,
    learn_dictionary,
    photograph_patches,
    train_coder,
)
from unroll.study.recovery.crops import Crops, photograph_crops


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_patches_are_less_their_mean_and_rebuilt_from_what_is_seen():
    supply = photograph_patches("compressed sensing")
    assert supply.dictionary.shape == (32, 128)
    assert torch.allclose(supply.dictionary.norm(dim=0), torch.ones(128), atol=1e-5)
    targets, signals = supply.fresh(50, generator())
    assert targets.mean(dim=1).abs().max() < 1e-4
    assert signals.shape == (50, 32)
    # A code of the normalised dictionary says the same of the signal and of the patch.
    codes = torch.randn(4, 128, generator=generator())
    assert torch.allclose(supply.readout(codes) @ supply.measurement.T, codes @ supply.dictionary.T, atol=1e-3)
    others = supply.draw(50, generator())[0], supply.held_out(50, generator())[0]
    assert not any(torch.equal(targets, other) for other in others)
    with pytest.raises(ValueError, match="unknown task 'denoise': did you mean 'denoising'"):
        photograph_patches("denoise")
    with pytest.raises(ValueError, match="noise must be a finite number >= 0"):
        replace(supply, noise=-1.0)
    with pytest.raises(ValueError, match=r"measurement must have shape \[m, 64\], got \[32, 63\]"):
        Patches(**{**vars(supply), "measurement": torch.zeros(32, 63)})


def test_learned_atoms_rebuild_better_than_those_they_set_out_from():
    signals = photograph_patches("denoising").learned_from[:400]

    def error(atoms):
        codes = Classical(atoms, FISTA, 1.0, 60)(signals)
        return ((codes @ atoms.T - signals).square().sum() / 2 + codes.abs().sum()).item()

    start = torch.nn.functional.normalize(signals[:64].T, dim=0)
    learned = learn_dictionary(signals, 64, weight=1.0, rounds=8)
    assert torch.allclose(learned.norm(dim=0), torch.ones(64), atol=1e-5)
    assert error(learned) < 0.95 * error(start)
    with pytest.raises(ValueError, match="signals must be at least as many as atoms, 64, got 10"):
        learn_dictionary(signals[:10], 64, weight=1.0, rounds=1)


def test_crops_come_from_the_stripes_they_should(monkeypatch):
    crops = photograph_crops()
    targets, signals = crops.draw(6, generator())
    assert targets.shape == signals.shape == (6, 1, 32, 32)
    assert (signals - targets).std().item() == pytest.approx(0.1, rel=0.1)
    assert crops.fresh(2, generator())[0].shape == (2, 1, 32, 32)
    assert crops.held_out(2, generator())[0].shape == (2, 1, 32, 32)
    network = ConvolutionalLISTA(crops.dictionary, 2)
    assert train_coder(network, crops, Schedule(iterations=6, batch=2), 0)["history"]
    monkeypatch.setattr(evaluation, "TEST", 20)
    rows = by_layer(network, crops)
    assert {row["measure"] for row in rows} == {"nmse"}  # images have no zeros to count
    low, high = (row["value"] for row in rows if row["condition"] == "interval")
    assert low <= rows[2]["value"] <= high
    with pytest.raises(ValueError, match="size must be at most 40, the width of a stripe, got 41"):
        Crops(crops.dictionary, size=41)
