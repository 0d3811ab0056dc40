"""Dry runs: of every preset a network is built at its size and takes two steps, without the data being there."""

from dataclasses import replace

import pytest
import torch

from unroll.models import PerViT
from unroll.study import Entry, Size, build, presets, seed_everything, stand_in, train

DRY = [(name, presets[name].entries[-1]) for name in presets.names()] + [("imagenet", presets["imagenet"].entries[0])]


@pytest.mark.parametrize(("name", "entry"), DRY, ids=[f"{name}, {entry.label}" for name, entry in DRY])
def test_dry_run(name, entry):
    settings = presets[name]
    data = stand_in(settings.data, images=2)
    generator = seed_everything(0)
    model = build(entry, data, settings.size)
    before = [weight.clone() for weight in model.parameters()]
    recipe = replace(settings.recipe, epochs=1, batch=1, compile=False)
    (loss,) = train(model, data.train, recipe, generator).loss
    assert 0 < loss < 30
    assert any(not torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))
    assert model(data.test.images).shape == (2, data.classes)


def test_imagenet_presets_have_the_published_sizes():
    settings, data = presets["imagenet"], stand_in("imagenet", images=1)
    vit, pervit = (build(entry, data, settings.size) for entry in settings.entries)
    assert isinstance(pervit, PerViT)
    block, ends = 12 * 192**2 + 13 * 192, 768 * 192 + 192 + 196 * 192 + 2 * 192 + 192 * 1000 + 1000
    # PerViT-T as counted in the released code; ViT-Ti as its widths give it, biases and norms included.
    assert sum(p.numel() for p in pervit.parameters()) == pytest.approx(7_591_000, rel=0.01)
    assert sum(p.numel() for p in vit.parameters()) == pytest.approx(ends + 12 * block, rel=0.001)


def test_a_published_size_has_its_patches():
    entry = Entry("peripheral", positions=False, model="pervit-tiny")
    assert Entry.from_dict(entry.to_dict()) == entry
    with pytest.raises(ValueError, match=r"model 'pervit-tiny' needs data in patches of 16 pixels, got 4"):
        build(entry, stand_in("cifar10"), Size())


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10", "imagenet", "digits"])
def test_stand_ins_are_made_without_files(name, tmp_path, monkeypatch):
    monkeypatch.setenv("UNROLL_DATA", str(tmp_path))
    data = stand_in(name, images=5)
    assert data.name == name
    assert [len(part) for part in (data.train, data.validation, data.test)] == [5, 5, 5]
    assert 0 <= data.train.images.min() <= data.train.images.max() <= 1
    assert data.train.labels.max() < data.classes
    assert torch.equal(data.train.images, stand_in(name, images=5).train.images)
