"""What the processes of test_parallel.py do: the same trainings, alone or together; the first one writes them down.

Run as ``python two_processes.py FOLDER``, by itself or by torch.distributed.run.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from tables import SMALL, small_model

from unroll.study import Entry, Logs, Recipe, Settings, Split, load, train
from unroll.study.compare import run_study
from unroll.study.processes import processes
from unroll.study.store import Store

# 201 images: batches of 50, and a last one of a single image, of which most shares get none.
TRAININGS = {
    "plain": ("softmax", Recipe(epochs=2, batch=50)),
    "micro-batches and average": ("vars-d", Recipe(epochs=2, batch=50, accumulate=3, ema=0.5)),
}
# In double precision the two agree to far more digits than a fault of a hundredth of an image would leave.
DOUBLE = torch.float64


def work(folder: Path) -> None:
    """Train and compare; write weights, losses and how many processes there were."""
    data, losses, weights, moved = load("digits"), {}, {}, []
    if not processes().is_main_process:  # every file of ours comes to its place by a rename
        sys.addaudithook(lambda event, names: moved.append(names) if event == "os.rename" else None)
    few, exam = _double(data.train.first(201)), _double(data.validation.first(50))
    for name, (attention, recipe) in TRAININGS.items():
        model, generator = small_model(attention)
        model.to(DOUBLE)
        own = folder / name
        kept = {"checkpoint": own / "c.safetensors", "logs": Logs(own)}
        history = train(model, few, recipe, generator, held_out=exam, label=name, **kept)
        losses[name] = [history.loss, history.accuracy]
        weights |= {f"{name}/{key}": tensor.clone() for key, tensor in model.state_dict().items()}
    settings = Settings((Entry("softmax"),), "digits", (0,), Recipe(1, 500), SMALL, conditions=("shift",))
    comparison = run_study(settings, Store(folder / "store"))
    if not processes().is_main_process:
        assert comparison is None
        assert not moved
        return
    save_file(weights, folder / "weights.safetensors")
    told = {"losses": losses, "processes": processes().num_processes, "rows": len(comparison.table)}
    (folder / "told.json").write_text(json.dumps(told))


def _double(split: Split) -> Split:
    return replace(split, images=split.images.to(DOUBLE))


if __name__ == "__main__":
    torch.set_num_threads(1)
    work(Path(sys.argv[1]))
