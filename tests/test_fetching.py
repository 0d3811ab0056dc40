"""Published files over loopback: whole, broken off, tampered with, missing."""

import re
import socket
from hashlib import sha256

import numpy as np
import pytest
import torch
from tiny_sets import cifar10_binary, serving, tar

from unroll.__main__ import main
from unroll.study import DataError, fetch, load
from unroll.study.sets.addresses import Remote, sources
from unroll.study.sets.fetching import CHUNK, bring

CONTENT = np.random.default_rng(0).bytes(300_000)
ONE, TWO = CHUNK, 3 * CHUNK  # where connections break; what is kept is made of whole chunks


def remote(*addresses, content=CONTENT, name="file.gz", archive=False):
    return Remote(name, sha256(content).hexdigest(), addresses, archive)


@pytest.fixture
def served():
    with serving() as server:
        server.files["/file.gz"] = CONTENT
        yield server


def test_a_file_is_fetched_once(served, tmp_path):
    path = bring(remote(served.address), tmp_path / "deep" / "folder")
    assert path == tmp_path / "deep" / "folder" / "file.gz"
    assert path.read_bytes() == CONTENT
    bring(remote(served.address), path.parent)
    assert served.asked == [("/file.gz", None)]
    assert [each.name for each in path.parent.iterdir()] == ["file.gz"]


def test_a_broken_transfer_is_continued(served, tmp_path):
    served.breaks = [ONE, TWO]
    assert bring(remote(served.address), tmp_path).read_bytes() == CONTENT
    assert served.asked == [("/file.gz", None), ("/file.gz", f"bytes={ONE}-"), ("/file.gz", f"bytes={TWO}-")]
    assert [each.name for each in tmp_path.iterdir()] == ["file.gz"]


def test_a_transfer_goes_on_where_an_earlier_one_gave_up(served, tmp_path):
    served.breaks = [ONE, ONE]
    with pytest.raises(DataError, match=r"file.gz could not be fetched to .*: http://127.0.0.1:\d+/file.gz: .*broken"):
        bring(remote(served.address), tmp_path)
    assert {each.name: each.stat().st_size for each in tmp_path.iterdir()} == {"file.gz.part": ONE}
    served.asked.clear()
    assert bring(remote(served.address), tmp_path).read_bytes() == CONTENT
    assert served.asked == [("/file.gz", f"bytes={ONE}-")]
    assert [each.name for each in tmp_path.iterdir()] == ["file.gz"]


def test_where_the_server_cannot_continue_the_transfer_starts_anew(served, tmp_path):
    served.ranges, served.breaks = False, [ONE, TWO]
    assert bring(remote(served.address), tmp_path).read_bytes() == CONTENT
    assert [asked for _, asked in served.asked] == [None, f"bytes={ONE}-", f"bytes={TWO}-"]


@pytest.mark.parametrize("part", [b"of something else", CONTENT + b"and more"])
def test_a_part_that_is_not_of_this_file_is_thrown_away(served, tmp_path, part):
    (tmp_path / "file.gz.part").write_bytes(part)
    assert bring(remote(served.address), tmp_path).read_bytes() == CONTENT
    assert [each.name for each in tmp_path.iterdir()] == ["file.gz"]


@pytest.mark.parametrize("given", [b"", CONTENT[:-1], CONTENT[:-1] + b"?"], ids=["empty", "truncated", "tampered"])
def test_another_file_is_not_kept_and_replaces_nothing(served, tmp_path, given):
    wanted = remote(served.address)
    served.files["/file.gz"] = given
    with pytest.raises(DataError, match=rf"file.gz holds another file: expected sha256 {wanted.sha256[:12]}..."):
        bring(wanted, tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file.gz").write_bytes(b"an older edition")
    with pytest.raises(DataError, match=r"file.gz holds another file"):
        bring(wanted, tmp_path)
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"file.gz": b"an older edition"}


def test_no_file_and_no_server(served, tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{unused.getsockname()[1]}"
        where = re.escape(f"{served.address}/elsewhere/file.gz")
        with pytest.raises(DataError, match=rf"{where}: 404 Client Error.*; {nobody}/file.gz: .*refused"):
            bring(remote(f"{served.address}/elsewhere", nobody), tmp_path)
        assert list(tmp_path.iterdir()) == []
        assert bring(remote(f"{served.address}/elsewhere", nobody, served.address), tmp_path).read_bytes() == CONTENT


def test_every_address_has_a_checksum():
    for name in sources:
        for each in sources[name]:
            assert re.fullmatch(r"[0-9a-f]{64}", each.sha256)
            assert all(re.fullmatch(r"https?://[\w.~/-]+[^/]", address) for address in each.addresses)
            assert each.archive is not each.name.endswith("ubyte.gz")


def test_from_nothing_to_a_data_set(served, tmp_path, monkeypatch, capsys):
    cifar10_binary(tmp_path / "made")
    members = {f"cifar-10-batches-bin/{path.name}": path.read_bytes() for path in (tmp_path / "made").iterdir()}
    served.files["/cifar.tar.gz"] = content = tar(members)
    wanted = remote(served.address, content=content, name="cifar.tar.gz", archive=True)
    monkeypatch.setitem(sources._entries, "cifar10", (wanted,))
    monkeypatch.setenv("UNROLL_DATA", str(tmp_path / "kept"))
    missing = (
        rf"data set 'cifar10' is not there: {tmp_path}/kept/cifar10 must hold data_batch_1.bin, .*, test_batch.bin; "
    )
    with pytest.raises(DataError, match=missing + r"'python -m unroll fetch cifar10' fetches them, or give the folder"):
        load("cifar10")
    assert served.asked == []
    assert main(["fetch", "cifar10"]) == 0
    assert main(["fetch", "cifar10"]) == 0
    assert len(served.asked) == 1
    assert main(["data", "cifar10"]) == 0
    assert "cifar10: 3 x 32 x 32 pixels, 10 classes, 180 train, 20 validation, 30 test" in capsys.readouterr().out
    elsewhere = load("cifar10", folder=tmp_path / "made")
    assert torch.equal(elsewhere.train.images, load("cifar10").train.images)


def test_what_cannot_be_fetched(monkeypatch, tmp_path, capsys):
    with pytest.raises(ValueError, match=r"unknown fetchable data set 'cifar': did you mean 'cifar10'\?"):
        fetch("cifar")
    monkeypatch.setenv("UNROLL_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"data set 'imagenet' is not there: .*imagenet must be a folder .*cannot be"):
        load("imagenet")
    assert main(["data"]) == 0
    said = capsys.readouterr().out
    assert f"fashion-mnist: {tmp_path}/fashion-mnist is not there; python -m unroll fetch fashion-mnist" in said
    assert "mnist5k: 1 x 28 x 28 pixels" in said
