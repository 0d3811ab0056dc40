"""Files of unrolled networks: read back as they were written, and named when they are damaged."""

import pytest
import torch
from safetensors.torch import save_file

from unroll.models.lista import ALISTA, HyperLISTA
from unroll.study import DataError
from unroll.study.recovery import Coder, gaussian_dictionary, load_coders, save_coders


def test_networks_in_one_file(tmp_path):
    dictionary, path = gaussian_dictionary(20, 40), tmp_path / "networks.safetensors"
    made = {
        "one": Coder(ALISTA(dictionary, 4, adaptive=True), {"history": []}),
        "two": Coder(HyperLISTA(dictionary, 3, constants=(0.1, 0.2, 3.0))),
    }
    save_coders(path, made)
    signals = torch.randn(3, 20, generator=torch.Generator().manual_seed(0))
    for label, coder in load_coders(path).items():
        assert torch.allclose(coder.network(signals), made[label].network(signals), atol=1e-6)
        assert coder.note == made[label].note
    with pytest.raises(ValueError, match="coders must not be empty"):
        save_coders(path, {})
    with pytest.raises(ValueError, match="coders must share one dictionary"):
        save_coders(path, {**made, "three": Coder(ALISTA(gaussian_dictionary(20, 40, 1), 2))})


def test_damaged_files_are_named(tmp_path):
    path = tmp_path / "networks.safetensors"
    with pytest.raises(DataError, match=r"networks\.safetensors is missing: 'python -m unroll recover'"):
        load_coders(path)
    save_coders(path, {"one": Coder(ALISTA(gaussian_dictionary(20, 40), 4))})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="cannot be read as a file of the kind 'coders', so it is damaged"):
        load_coders(path)
    path.write_bytes(b"")
    with pytest.raises(DataError, match="cannot be read as a file of the kind"):
        load_coders(path)
    save_file({"dictionary": torch.eye(2)}, path)
    with pytest.raises(DataError, match="does not say which coders its weights belong to"):
        load_coders(path)
    save_file(
        {"dictionary": torch.eye(2)}, path, metadata={"coders": '{"a": {"network": {"name": "alista"}, "note": 0}}'}
    )
    with pytest.raises(DataError, match=r"the weights of 'a' in .* do not fit the network"):
        load_coders(path)
