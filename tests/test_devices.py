"""A run whose network lives on another device than the data: here on the meta device, which has shapes, no numbers."""

from dataclasses import replace

import pytest
import torch
from tables import SHORT, SMALL

from unroll.solvers.recorder import Recorder
from unroll.study import Entry, Network, Settings, experiment, load, maps, restored_accuracy, under_solvers


@pytest.fixture
def elsewhere(monkeypatch):
    """Let networks live on the meta device; numbers that are asked of it are made up."""
    item, cpu, truth = torch.Tensor.item, torch.Tensor.cpu, torch.Tensor.__bool__
    monkeypatch.setattr(torch.Tensor, "item", lambda self: 0.5 if self.is_meta else item(self))
    monkeypatch.setattr(
        torch.Tensor, "cpu", lambda self: torch.zeros(self.shape, dtype=self.dtype) if self.is_meta else cpu(self)
    )
    monkeypatch.setattr(torch.Tensor, "__bool__", lambda self: self.is_meta or truth(self))
    monkeypatch.setattr(Recorder, "_wait", lambda self: None)  # only an accelerator can be waited for
    monkeypatch.setattr("unroll.study.metrics.REFERENCE_STEPS", 3)
    monkeypatch.setattr("unroll.study.experiment.LOOKED_AT", (0, 1, 3))
    monkeypatch.setattr(experiment, "pick_device", lambda: torch.device("meta"))


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("name", ["rotary", "vars-d"])
def test_what_is_made_on_the_cpu_is_moved_to_the_network(name):
    digits = load("digits")
    data = replace(
        digits, train=digits.train.first(30), validation=digits.validation.first(10), test=digits.test.first(10)
    )
    entry = Entry(name, positions=name == "vars-d")
    conditions = ("gaussian noise", "token occlusion", "shift", "fgsm", "adversarial patch")
    settings = Settings((entry,), "digits", (0,), SHORT, SMALL, conditions=conditions)
    model, _ = experiment.train_entry(entry, 0, settings, data)
    for measure in experiment.measurements(settings).values():
        assert list(measure(model, data.test))
    assert all(tensor.is_meta for tensor in model.state_dict().values())
    network = Network(model, entry, "digits", SMALL, 0)
    assert len(restored_accuracy(network, data.test)) == 2 * 5
    if name == "vars-d":
        layer = model.blocks[0].attention
        assert maps.settling(model, data.test.images[0], 3, steps=(1, 2)).axes
        assert set(under_solvers(network, data.test, {"own": layer.solver}).solver) == {"as trained", "own"}


@pytest.mark.usefixtures("elsewhere")
def test_strangers_do_meet_on_this_device():
    """The test above can fail: an operation on tensors of two devices raises here as it does on a GPU."""
    with pytest.raises(RuntimeError, match=r"meta"):
        torch.ones(3, device="meta") + torch.ones(3)
