"""A training that is killed at random moments, and what it leaves behind."""

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import torch
from safetensors.torch import load_file
from tables import small_model
from torch import Tensor

from unroll.study import Recipe, load, train
from unroll.study.weights import write_weights

# 24 steps, each of which writes a checkpoint.
RECIPE = Recipe(epochs=4, batch=32, ema=0.9)
# Where a writer kills itself: half of the file written, all of it, and all in its place.
MOMENTS = ("half", "before the move", "after the move")


def train_to_the_end(out: Path, checkpoint: Path | None) -> None:
    """Train from the checkpoint on, a checkpoint a step, and write the weights."""
    torch.set_num_threads(1)
    model, generator = small_model("vars-d")
    train(model, load("digits").train.first(170), RECIPE, generator, checkpoint=checkpoint, every=0)
    write_weights(out, model.state_dict(), {}, holds="network")


def live(out: Path, checkpoint: Path, moment: str | None, write: int) -> None:
    """Train to the end, or to a moment of a writing at which the process kills itself."""
    real, calls = Path.write_bytes, []

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def writes(path: Path, content: bytes) -> None:
        calls.append(path)
        if len(calls) != write:
            real(path, content)
            return
        real(path, content[: len(content) // 2] if moment == "half" else content)
        if moment == "half":
            die()

    def moves(aside: Path, path: Path) -> None:
        if len(calls) == write and moment == "before the move":
            die()
        os.replace(aside, path)  # noqa: PTH105 (it is what stands in for Path.replace)
        if len(calls) == write:
            die()

    if moment is not None:
        Path.write_bytes, Path.replace = writes, moves
    train_to_the_end(out, checkpoint)


def survive(folder: Path, kills: int, seed: int) -> tuple[list[dict[str, Tensor]], list[str]]:
    """Kill a training so many times; return how, and the weights that it, and any that ended before, came to."""
    draw, ends, deaths = random.Random(seed), [], []  # noqa: S311 (nothing here is secret)
    out, checkpoint = folder / "out.safetensors", folder / "c.safetensors"
    # Children of a server that has imported everything, also what optimisers do, start at once.
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["unroll.study", "torch._dynamo"])
    while True:
        alive = len(deaths) == kills
        moment = None if alive else draw.choice((*MOMENTS, None, None))
        child = server.Process(target=live, args=(out, checkpoint, moment, draw.randint(1, 4)))
        before = _written(checkpoint)
        child.start()
        if moment is None and not alive:
            while child.is_alive() and _written(checkpoint) == before:
                time.sleep(1e-3)
            time.sleep(draw.uniform(0, 0.1))
            child.kill()
        child.join()
        if child.exitcode == -signal.SIGKILL:
            deaths.append(moment or "from outside")
            continue
        assert child.exitcode == 0
        ends.append(load_file(out))
        if alive:
            return ends, deaths
        checkpoint.unlink()


def _written(path: Path) -> int:
    return path.stat().st_mtime_ns if path.is_file() else 0
