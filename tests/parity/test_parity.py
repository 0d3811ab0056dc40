"""Our layers, in their published settings, against the numbers of the released code: 1e-9 in float64.

    pytest tests/parity --golden-dir DIR

reads every .npz of a folder. Sizes, settings and weights come from the file. Which layer a file is for is told by how
its name begins.
"""

import numpy as np
import published
import published_evolving
import published_peripheral
import pytest
import torch
from torch import Tensor

CASES = published.CASES | published_evolving.CASES | published_peripheral.CASES
TOLERANCE = 1e-9


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    folder = metafunc.config.getoption("golden_dir")
    files = sorted(folder.glob("*.npz"))
    assert files, f"--golden-dir {folder} holds no .npz file"
    metafunc.parametrize("path", files, ids=[file.stem for file in files])


def test_published_numbers(path):
    stems = [stem for stem in CASES if path.stem.startswith(stem)]
    if not stems:
        pytest.skip(f"no layer for {path.stem} yet")
    with np.load(path, allow_pickle=False) as archive:
        golden = {key: _value(archive[key]) for key in archive.files}
    ours = CASES[max(stems, key=len)](golden)
    assert len(ours) > 1
    gaps = {key: _gap(value, golden[key]) for key, value in ours.items()}
    assert all(gap <= TOLERANCE for gap in gaps.values()), {
        key: gap for key, gap in gaps.items() if not gap <= TOLERANCE
    }


def _value(array: np.ndarray) -> Tensor | float | int | str:
    return torch.from_numpy(array) if array.ndim else array.item()


def _gap(ours: Tensor, golden: Tensor) -> float:
    assert ours.shape == golden.shape, (ours.shape, golden.shape)
    return (ours - golden).abs().max().item()
