"""Finished runs on disk, networks in files, and what one sees inside them."""

from dataclasses import replace

import pytest
import torch
from tables import SHORT, SMALL, small_model

from unroll.__main__ import main
from unroll.solvers import FISTA
from unroll.study import (
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
from unroll.study.store import Store

TWO = Settings((Entry("vars-d", {"solver": FISTA(3)}), Entry("softmax")), "digits", (0,), SHORT, SMALL)


def test_an_interrupted_study_goes_on_where_it_stopped(tmp_path, monkeypatch):
    store, trained = Store(tmp_path), []
    run = experiment.run

    def counted(entry, *rest):
        trained.append(entry.label)
        if len(trained) == 2:
            raise KeyboardInterrupt
        return run(entry, *rest)

    monkeypatch.setattr(experiment, "run", counted)
    with pytest.raises(KeyboardInterrupt):
        run_study(TWO, store)
    comparison = run_study(TWO, store)
    assert trained == ["vars-d", "softmax", "softmax"]
    again = run_study(TWO, store)
    assert trained == ["vars-d", "softmax", "softmax"]
    assert comparison.table.equals(again.table)


def test_parts_share_the_work(tmp_path):
    store = Store(tmp_path)
    assert run_study(TWO, store, part=(1, 2)) is None
    assert store.rows(TWO.entries[0], 0, TWO) is None
    assert store.rows(TWO.entries[1], 0, TWO) is not None
    assert set(run_study(TWO, store, part=(0, 2)).table.attention) == {"vars-d", "softmax"}


def test_another_setting_or_another_source_is_another_run(tmp_path, monkeypatch):
    store, entry = Store(tmp_path), TWO.entries[0]
    place = store.place(entry, 0, TWO)
    assert place == store.place(entry, 0, replace(TWO, seeds=(0, 1), entries=(entry,)))
    others = [
        store.place(entry, 1, TWO),
        store.place(TWO.entries[1], 0, TWO),
        store.place(entry, 0, replace(TWO, judged_on="validation")),
        store.place(entry, 0, replace(TWO, recipe=replace(SHORT, epochs=2))),
    ]
    monkeypatch.setattr("unroll.study.store._source", lambda: "changed")
    others.append(store.place(entry, 0, TWO))
    assert len({place, *others}) == 6


def test_what_is_left_at_its_default_changes_no_address(tmp_path):
    """Runs and networks that were made before there was a choice are still theirs."""
    assert set(Entry("softmax").to_dict()) == {"attention", "options", "label"}
    assert "conditions" not in TWO.to_dict()
    assert Entry.from_dict({"attention": "softmax", "options": {}, "label": "softmax"}) == Entry("softmax")
    store, entry = Store(tmp_path), TWO.entries[0]
    places = {
        store.place(entry, 0, TWO),
        store.place(replace(entry, positions=False), 0, TWO),
        store.place(entry, 0, replace(TWO, conditions=("shift",))),
    }
    assert len(places) == 3


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
