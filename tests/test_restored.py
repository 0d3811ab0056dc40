"""Parts of a layer restored from the clean image: what comes back, and that nothing else is touched."""

import pytest
import torch
from tables import SMALL

from unroll.study import Entry, Network, build, corrupt, load, loudness, restored, restored_accuracy, seed_everything

DATA = load("digits").test.first(30)
NOISY = corrupt(DATA, "gaussian noise", 5)


def _network(name, **options):
    seed_everything(0)
    return build(Entry(name, options), load("digits"), SMALL).eval()


@pytest.mark.parametrize("name", ["softmax", "kernel", "hopfield", "vars-d", "vars-sd", "vars-s"])
@torch.no_grad()
def test_a_layer_whose_parts_are_all_restored_is_the_clean_layer(name):
    model = _network(name)
    block = model.blocks[0]
    clean = block.attention.output(torch.zeros(1, 1, SMALL.dim))  # the hook must be off again afterwards
    seen = {}
    handle = block.attention.output.register_forward_hook(lambda module, _, y: seen.setdefault(len(seen), y))
    model(DATA.images)
    with restored(model, DATA.images, "queries", (0,)), restored(model, DATA.images, "values", (0,)):
        seen.clear()
        model(NOISY.images)
    both = seen[0]
    seen.clear()
    model(DATA.images)
    handle.remove()
    assert torch.allclose(both, seen[0], atol=1e-5)
    assert torch.equal(block.attention.output(torch.zeros(1, 1, SMALL.dim)), clean)


@torch.no_grad()
def test_parts_are_what_they_are_called():
    model = _network("softmax")
    clean, noisy = model(DATA.images), model(NOISY.images)
    for part in ("queries", "values", "outputs", "loudness"):
        with restored(model, DATA.images, part, (0,)):
            assert torch.equal(model(DATA.images), clean) or part == "loudness"
            assert not torch.allclose(model(NOISY.images), noisy, atol=1e-4), part
        with restored(model, DATA.images, part, ()):
            assert torch.equal(model(NOISY.images), noisy)
    kept = []
    handle = model.blocks[0].norm2.register_forward_pre_hook(lambda module, inputs: kept.append(inputs[0]))
    model(DATA.images)
    with restored(model, DATA.images, "outputs", (0,)):
        model(NOISY.images)
    handle.remove()
    noise_of_the_stream = model.tokens(NOISY.images) - model.tokens(DATA.images)
    before, after = kept[0], kept[-1]
    assert torch.allclose(after - before, noise_of_the_stream, atol=1e-5)


def test_the_table_says_what_comes_back():
    network = Network(_network("vars-d"), Entry("vars-d"), "digits", SMALL, 0)
    table = restored_accuracy(network, DATA, severity=5, batch=7)
    assert list(table.restored.unique()) == ["queries", "values", "outputs", "loudness", "outputs of layer 1"]
    assert set(table.condition) == {"gaussian noise", "token occlusion"}
    assert table.equals(restored_accuracy(network, DATA, severity=5))
    row = table.iloc[0]
    if row.clean > row.spoiled:
        assert row.recovered == pytest.approx((row.accuracy - row.spoiled) / (row.clean - row.spoiled))


def test_what_is_not_there_cannot_be_restored():
    model = _network("softmax")
    with pytest.raises(ValueError, match=r"unknown part 'value': did you mean 'values'\?"):
        restored(model, DATA.images, "value", (0,)).__enter__()
    with pytest.raises(ValueError, match=r"layers must lie between 0 and 0, got \(1,\)"):
        restored(model, DATA.images, "values", (1,)).__enter__()


@torch.no_grad()
def test_loudness_is_measured_against_the_stream():
    model = _network("softmax")
    (quiet,) = loudness(model, DATA.images)
    model.blocks[0].attention.output.weight *= 3
    model.blocks[0].attention.output.bias *= 3
    assert loudness(model, DATA.images)[0] == pytest.approx(3 * quiet, rel=1e-4)
