"""What only a GPU can show: the same numbers as on the CPU, trainings that go on, bfloat16, memory at its peak."""

import pytest
import torch
from tables import SHORT, SMALL, VARIANTS, make, small_model

from unroll.study import Entry, Recipe, Settings, first_steps, load, run_study, seed_everything, train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is at hand")
FEW = load("digits").train.first(60)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_layer_gives_the_numbers_of_the_cpu(variant):
    torch.manual_seed(0)
    here, x = make(variant).double(), torch.randn(2, 9, 12, dtype=torch.float64)
    there = make(variant).double().cuda()
    there.load_state_dict(here.state_dict())
    torch.testing.assert_close(there(x.cuda()).cpu(), here(x), rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(there.attention_map(x.cuda()).cpu(), here.attention_map(x), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_network_learns(precision):
    model, generator = small_model("vars-d")
    history = train(model.cuda(), FEW, Recipe(epochs=8, batch=20, precision=precision), generator)
    assert history.loss[-1] < history.loss[0]
    assert all(parameter.is_cuda and parameter.dtype == torch.float32 for parameter in model.parameters())


def test_a_training_goes_on(tmp_path):
    recipe, file = Recipe(epochs=3, batch=20), tmp_path / "checkpoint.safetensors"
    whole, generator = small_model()
    train(whole.cuda(), FEW, recipe, generator)
    for _ in range(2):  # the second finds the first's checkpoint, and all done
        model, _ = small_model()
        train(model.cuda(), FEW, recipe, seed_everything(0), checkpoint=file)
    for ours, theirs in zip(model.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)


def test_a_study_and_what_it_costs():
    settings = Settings((Entry("softmax"),), "digits", (0,), SHORT, SMALL)
    assert run_study(settings).configuration["environment"]["device"] == "cuda"
    assert (first_steps(settings, steps=1)["peak MB"] > 0).all()
