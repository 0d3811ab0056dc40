"""What the processes of test_parallel.py do: the same trainings, by themselves or together; the first writes them down.

Run as ``python two_processes.py FOLDER``, alone or by torch.distributed.run.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from tables import SMALL, small_model

from unroll.study import Entry, Recipe, Settings, load, train
from unroll.study.compare import run_study
from unroll.study.processes import processes
from unroll.study.store import Store

# 250 images in batches of 48: five full steps and one of ten, so neither divides evenly among two or six.
EPOCHS, IMAGES, BATCH = 2, 250, 47
TRAININGS = {
    "plain": ("softmax", Recipe(EPOCHS, BATCH)),
    "micro-batches": ("vars-d", Recipe(EPOCHS, BATCH, accumulate=3)),
    "average": ("evolving", Recipe(EPOCHS, BATCH, ema=0.9)),
    "more than images": ("softmax", Recipe(EPOCHS, batch=83, accumulate=5)),
}


def work(folder: Path) -> None:
    """Train, and write weights, losses and which processes there were."""
    data, losses, weights = load("digits"), {}, {}
    for name, (attention, recipe) in TRAININGS.items():
        model, generator = small_model(attention)
        # Nothing but the weights of the first process counts.
        history = train(
            model,
            data.train.first(IMAGES),
            recipe,
            generator,
            held_out=data.validation,
            checkpoint=folder / name / "checkpoint.safetensors",
            every=0,
        )
        losses[name] = history.loss
        weights |= {f"{name}/{key}": tensor.clone() for key, tensor in model.state_dict().items()}
    settings = Settings((Entry("softmax"), Entry("kernel")), "digits", (0,), Recipe(1, 200), SMALL)
    comparison = run_study(settings, Store(folder / "store"))
    if processes().is_main_process:
        save_file(weights, folder / "weights.safetensors")
        told = {"losses": losses, "processes": processes().num_processes, "rows": len(comparison.table)}
        (folder / "told.json").write_text(json.dumps(told))
    else:
        assert comparison is None


if __name__ == "__main__":
    torch.set_num_threads(1)
    work(Path(sys.argv[1]))
