"""Finished runs on disk, networks in files, and what one sees inside them."""

from dataclasses import replace

import pandas as pd
import pytest
import torch
from tables import SHORT, SMALL, small_model

from unroll.__main__ import main
from unroll.solvers import FISTA
from unroll.study import (
    Comparison,
    DataError,
    Entry,
    Network,
    Settings,
    build,
    experiment,
    inspect,
    load,
    load_network,
    run_study,
)
from unroll.study.probes import probes
from unroll.study.source import PACKAGE, PARTS, meaning
from unroll.study.store import Store

TWO = Settings((Entry("vars-d", {"solver": FISTA(3)}), Entry("softmax")), "digits", (0,), SHORT, SMALL)


@pytest.fixture
def counted(monkeypatch):
    """Return a function that replaces one of ``experiment`` by itself, and the list of the calls that it was given."""

    def count(name, stop_at=None):
        calls, real = [], getattr(experiment, name)

        def stands_in(*arguments, **named):
            calls.append(arguments[0])
            if len(calls) == stop_at:
                raise KeyboardInterrupt
            return real(*arguments, **named)

        monkeypatch.setattr(experiment, name, stands_in)
        return calls

    return count


def test_an_interrupted_study_goes_on_where_it_stopped(tmp_path, counted):
    store, trained = Store(tmp_path), counted("train_entry", stop_at=2)
    with pytest.raises(KeyboardInterrupt):
        run_study(TWO, store)
    comparison = run_study(TWO, store)
    labels = ["vars-d", "softmax", "softmax"]
    assert [entry.label for entry in trained] == labels
    again = run_study(TWO, store)
    assert [entry.label for entry in trained] == labels
    assert comparison.table.equals(again.table)
    assert comparison.configuration["trained in"] == [{**comparison.configuration["environment"], "networks": 2}]


def test_a_measurement_that_was_interrupted_trains_nothing_again(tmp_path, counted):
    store, trained, measured = Store(tmp_path), counted("train_entry"), counted("_under", stop_at=3)
    with pytest.raises(KeyboardInterrupt):
        run_study(TWO, store)
    run_study(TWO, store)
    assert len(trained) == 2
    assert len(measured) == 2 * len(TWO.conditions) + 1  # the one that was interrupted came again, and no other


def test_another_condition_is_measured_of_the_same_networks(tmp_path, counted):
    store, trained, measured = Store(tmp_path), counted("train_entry"), counted("_under")
    run_study(TWO, store)
    wider = replace(TWO, conditions=(*TWO.conditions, "shift"))
    table = run_study(wider, store).table
    assert len(trained) == 2
    assert len(measured) == 2 * len(wider.conditions)
    assert (table.condition == "shift").sum() == 2 * 5


def test_parts_share_the_work(tmp_path):
    store = Store(tmp_path)
    assert run_study(TWO, store, part=(1, 2)) is None
    first, second = (store.run(entry, 0, TWO) for entry in TWO.entries)
    assert not first.trained
    assert second.trained
    assert set(run_study(TWO, store, part=(0, 2)).table.attention) == {"vars-d", "softmax"}


def test_another_training_or_another_source_is_another_run(tmp_path, monkeypatch):
    store, entry = Store(tmp_path), TWO.entries[0]

    def place(entry=entry, seed=0, settings=TWO):
        return store.run(entry, seed, settings).place

    ours = place()
    # Company, conditions and how the arithmetic is carried out make no other network.
    assert ours == place(settings=replace(TWO, seeds=(0, 1), entries=(entry,), conditions=("shift",)))
    assert ours == place(settings=replace(TWO, recipe=replace(SHORT, compile=True)))
    others = [
        place(seed=1),
        place(TWO.entries[1]),
        place(replace(entry, positions=False)),
        place(settings=replace(TWO, judged_on="validation")),
        place(settings=replace(TWO, recipe=replace(SHORT, epochs=2))),
    ]
    monkeypatch.setattr("unroll.study.store.fingerprint", lambda part: f"changed {part}")
    others.append(place())
    assert len({ours, *others}) == 7


def test_another_way_to_measure_keeps_the_network_alone(tmp_path, monkeypatch):
    run = Store(tmp_path).run(TWO.entries[0], 0, TWO)
    run.keep("clean", pd.DataFrame([{"value": 1 / 3}]))
    assert run.table("clean").value[0] == 1 / 3
    monkeypatch.setattr("unroll.study.store.fingerprint", lambda part: f"changed {part}")
    assert run.table("clean") is None


def test_the_source_counts_not_its_prose():
    one = 'def f(x):\n    """Say one thing."""\n    return x + 1  # because\n'
    assert meaning(one) == meaning("def f(x):\n\n    'Say another.'\n    return (x+1)")
    assert meaning(one) != meaning("def f(x):\n    return x + 2")
    assert meaning("class A:\n    'Nothing else.'") == meaning("class A:\n    pass")


def test_the_source_means_the_same_under_every_python():
    # How Python 3.11 reads it; from 3.12 on functions have one more field, and f-strings are written out otherwise.
    assert meaning("def f():\n    return f'{1!r}' 'a'") == (
        "['Module', ('body', [['FunctionDef', ('name', 'f'), ('args', ['arguments']), ('body', [['Return', ('value', "
        "['JoinedStr', ('values', [['FormattedValue', ('value', ['Constant', ('value', 1)]), ('conversion', 114)], "
        "['Constant', ('value', 'a')]])])]])]])]"
    )


@pytest.mark.parametrize("part", PARTS)
def test_every_source_that_counts_is_there(part):
    assert [name for name in PARTS[part] if not (PACKAGE / name).exists()] == []


def test_a_study_asks_its_networks_together(tmp_path, monkeypatch, counted):
    asked = []

    def count(networks, exam):
        asked.append(list(networks))
        return pd.DataFrame([{"attention": label, "images": len(exam)} for label in networks])

    monkeypatch.setitem(probes._entries, "count", count)
    settings, trained = replace(TWO, seeds=(0, 1), probes=("count",)), counted("train_entry")
    comparison = run_study(settings, Store(tmp_path / "store"))
    assert asked == [["vars-d", "softmax"]] * 2
    table = comparison.further["count"]
    assert list(table.columns) == ["attention", "images", "seed"]
    assert len(table) == 4
    comparison.save(tmp_path / "out")
    pd.testing.assert_frame_equal(Comparison.read(tmp_path / "out").further["count"], table)
    run_study(settings, Store(tmp_path / "store"))
    assert (len(asked), len(trained)) == (2, 4)
    with pytest.raises(ValueError, match=r"unknown probe 'cuont': did you mean 'count'\?"):
        replace(TWO, probes=("cuont",))


def test_what_is_left_at_its_default_changes_no_address():
    """Runs and networks that were made before there was a choice are still theirs."""
    assert set(Entry("softmax").to_dict()) == {"attention", "options", "label"}
    assert not {"conditions", "probes"} & set(TWO.to_dict())
    assert Entry.from_dict({"attention": "softmax", "options": {}, "label": "softmax"}) == Entry("softmax")


def test_a_network_without_positions_comes_back(tmp_path):
    entry, path = Entry("rotary", label="rotary alone", positions=False), tmp_path / "network.safetensors"
    Network(build(entry, load("digits"), SMALL), entry, "digits", SMALL, 0).save(path)
    network = load_network(path)
    assert network.entry == entry
    assert network.model.positions is None
    assert len(inspect(network, load("digits").validation)) == 2 * SMALL.depth


def test_a_network_comes_back_as_it_was(tmp_path):
    path = tmp_path / "folder" / "network.safetensors"
    model, _ = small_model("vars-d", seed=3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1)
    Network(model, Entry("vars-d"), "digits", SMALL, 3).save(path)
    network = load_network(path)
    images = load("digits").test.images[:4]
    torch.testing.assert_close(network.model(images), model.eval()(images))
    torch.testing.assert_close(network.untrained().model(images), small_model("vars-d", seed=3)[0](images))
    table = inspect(network, load("digits").validation)
    assert list(table.state) == ["untrained", "trained"]
    assert table[["mixing", "residual", "zeros", "gain", "error"]].notna().all(axis=None)


def test_damaged_and_missing_networks(tmp_path):
    path = tmp_path / "network.safetensors"
    with pytest.raises(DataError, match=r"network.safetensors is missing: 'python -m unroll train NAME --out"):
        load_network(path)
    Network(small_model()[0], Entry("softmax"), "digits", SMALL, 0).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cannot be read as a file of the kind 'network', so it is damaged"):
        load_network(path)
    path.write_bytes(whole)
    Network(small_model("vars-d")[0], Entry("softmax"), "digits", SMALL, 0).save(path)
    with pytest.raises(DataError, match=r"do not fit 'softmax' as it is built now: train it again"):
        load_network(path)
    from safetensors.torch import save_file

    save_file({"weight": torch.ones(2)}, path)
    with pytest.raises(DataError, match=r"does not say which network its weights belong to"):
        load_network(path)


def test_train_then_inspect(tmp_path, capsys):
    path = str(tmp_path / "m.safetensors")
    assert main(["train", "vars-d", "--data", "digits", "--epochs", "1", "--out", path]) == 0
    assert main(["inspect", path]) == 0
    out = capsys.readouterr().out
    assert "distance to fixed point" in out
    assert out.count("untrained") == 4
    assert main(["inspect", str(tmp_path / "none")]) == 1


def test_a_study_hands_out_its_networks(tmp_path, capsys):
    out, store = str(tmp_path / "out"), str(tmp_path / "store")
    command = ["study", "--attentions", "softmax", "--data", "digits", "--epochs", "1", "--out", out, "--store", store]
    assert main([*command, "--networks"]) == 0
    assert load_network(tmp_path / "out" / "networks" / "softmax.safetensors").data == "digits"
    assert "softmax" in capsys.readouterr().out


@pytest.mark.parametrize("part", ["2", "0/2", "3/2", "a/b"])
def test_bad_parts(part, capsys):
    with pytest.raises(SystemExit):
        main(["study", "--part", part])
    assert f"must be K/N with 1 <= K <= N, such as 1/2, got '{part}'" in capsys.readouterr().err
