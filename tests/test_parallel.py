"""Two processes that train together come to what one comes to, and only the first of them writes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from two_processes import TRAININGS, work

from unroll.study.processes import processes

HERE = Path(__file__).parent


def test_launched_processes_that_cannot_meet_are_told_so(monkeypatch):
    """As when a notebook trains first and launches then: its children inherit that there is only one process."""
    assert processes().num_processes == 1
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(
        RuntimeError, match=r"a launcher started 2 processes, but this one sees 1: in a notebook, launch"
    ):
        processes()


def test_two_processes_are_one(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
    # The other two run meanwhile; without accelerators, so that they talk to each other as on any machine.
    paths = os.pathsep.join([str(HERE.parent), str(HERE), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    launcher = [sys.executable, "-W", "error", "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launcher, str(HERE / "two_processes.py"), str(two)]
    environment.pop("TQDM_DISABLE", None)
    with subprocess.Popen(  # noqa: S603 (our own command)
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as together:
        work(one)
        said = together.communicate(timeout=300)[0].decode()
    assert together.returncode == 0, said
    alone, shared = (json.loads((folder / "told.json").read_text()) for folder in (one, two))
    assert (alone["processes"], shared["processes"]) == (1, 2)
    for name in TRAININGS:
        torch.testing.assert_close(*(torch.tensor(told["losses"][name]) for told in (alone, shared)))
    weights, others = (load_file(folder / "weights.safetensors") for folder in (one, two))
    assert weights.keys() == others.keys()
    for name, tensor in weights.items():
        torch.testing.assert_close(others[name], tensor, rtol=1e-7, atol=1e-8, msg=lambda text, name=name: name + text)
    # One bar a training, and the files of one process.
    assert [said.count(f"{name}:   0%|          | 0/2 [00:00<?, ?epoch/s]") for name in TRAININGS] == [1, 1]
    names = [sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) for folder in (one, two)]
    assert names[0] == names[1]
    assert shared["rows"] == alone["rows"]
    assert len(pd.read_csv(two / "plain" / "training.csv")) == 2
