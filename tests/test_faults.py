"""Killed with SIGKILL at random moments, also inside the writing of a checkpoint, and not a bit is lost."""

import pytest
import torch
from faults import survive, train_to_the_end
from safetensors.torch import load_file


@pytest.mark.parametrize(("kills", "seed"), [(3, 0), pytest.param(20, 1, marks=pytest.mark.slow)])
def test_a_killed_training_comes_to_the_same_bits(kills, seed, tmp_path):
    train_to_the_end(tmp_path / "whole.safetensors", None)
    whole = load_file(tmp_path / "whole.safetensors")
    ends, deaths = survive(tmp_path, kills, seed)
    assert len(deaths) == kills
    assert len(set(deaths)) > 1, deaths
    for weights in ends:
        assert weights.keys() == whole.keys()
        assert all(torch.equal(tensor, weights[name]) for name, tensor in whole.items())
    # The last life has cleared away what the killed ones left beside the checkpoint.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.safetensors", "out.safetensors", "whole.safetensors"]
