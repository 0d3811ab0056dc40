"""Training an unrolled network stage by stage, with a checkpoint after each, from which it goes on."""

import math
import time
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from unroll.models.lista import CodingNetwork
from unroll.study.checkpoint import refuse_other
from unroll.study.recovery.judge import nmse
from unroll.study.recovery.saved import Coder, load_coders, save_coders
from unroll.study.recovery.schedule import Schedule, Stage
from unroll.study.recovery.sensing import Pairs, Sensing
from unroll.study.training import check_loss

VALIDATION = 2_000  # signals
LOOK = 250  # batches between two looks at them


def train_coder(
    network: CodingNetwork,
    sensing: Sensing,
    schedule: Schedule,
    seed: int,
    *,
    checkpoint: Path | None = None,
    label: str = "network",
) -> dict[str, object]:
    """Train ``network`` in place on signals that are drawn anew for every batch.

    After each stage the weights go back to the best that its looks at the validation signals found. With a checkpoint,
    a training that was cut off goes on after its last full stage, exactly as if it had not been.

    Args:
        network: what is trained.
        sensing: where signals come from.
        schedule: the stages.
        seed: decides the signals.
        checkpoint: file that is written after each stage; None for none.
        label: of the network in the checkpoint and on the progress bar.

    Returns:
        The "plan" (all that decided the training) and its "history": for each stage its depth, the batches it took, the
        seconds, and the validation error in dB.

    Raises:
        NonFiniteLossError: as soon as the loss or its gradient is NaN or infinite, before the weights change.
        DataError: when the checkpoint is damaged, or that of another training.
    """
    stages = schedule.stages(network.layers)
    plan = {
        "network": network.to_dict(),
        "schedule": asdict(schedule),
        "seed": seed,
        **sensing.to_dict(),
    }
    history = _resume(network, checkpoint, label, plan) if checkpoint else []
    held_out = validation(sensing, seed)
    with tqdm(total=len(stages), initial=len(history), desc=label, unit="stage", leave=False) as bar:
        for number, stage in list(enumerate(stages))[len(history) :]:
            # A generator for each stage, so that a training that goes on draws what it would have drawn.
            generator = torch.Generator().manual_seed(seed * 10_000 + number)
            history.append(_run(network, sensing, schedule, stage, generator, held_out))
            if checkpoint:
                save_coders(checkpoint, {label: Coder(network, {"plan": plan, "history": history})})
            bar.set_postfix(depth=stage.depth, nmse=f"{history[-1]['nmse']:.1f} dB")
            bar.update()
    return {"plan": plan, "history": history}


def validation(sensing: Sensing, seed: int, count: int | None = None) -> Pairs:
    """Return the targets and signals on which settings and weights are chosen."""
    return sensing.held_out(count or VALIDATION, torch.Generator().manual_seed(2**20 + seed))


def _run(
    network: CodingNetwork,
    sensing: Sensing,
    schedule: Schedule,
    stage: Stage,
    generator: torch.Generator,
    held_out: Pairs,
) -> dict[str, float]:
    """Run one stage and leave the best weights of its looks in the network."""
    began = time.perf_counter()
    matrices = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    numbers = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    groups = ((numbers, 1.0), (matrices, schedule.matrix_share))
    optimizer = torch.optim.Adam([{"params": group, "share": share} for group, share in groups if group])
    usual = None
    best, since, iteration = (_error(network, sensing, stage, held_out), _copy(network)), 0, 0
    for iteration in range(1, stage.iterations + 1):
        for group in optimizer.param_groups:
            group["lr"] = stage.rate * group["share"] * _factor(stage, iteration - 1)
        targets, signals = sensing.draw(schedule.batch, generator)
        missed = sensing.readout(network(signals, stage.depth)) - targets
        error = missed.square().sum() / targets.square().sum()
        # Divided by its running mean, so that the loss is about 1 whether the error is -5 or -70 dB. The mean, and not
        # each batch's own logarithm: the rare hard batch must keep its weight.
        usual = error.item() if usual is None else 0.99 * usual + 0.01 * error.item()
        optimizer.zero_grad()
        (error / usual).backward()
        if stage.newest:
            _keep_newest(network, stage.depth - 1)
        size = nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        check_loss(error.detach(), size, f"batch {iteration} at depth {stage.depth}", stage.rate)
        optimizer.step()
        if iteration % LOOK == 0 or iteration == stage.iterations:
            now = _error(network, sensing, stage, held_out)
            if now < best[0]:
                best, since = (now, _copy(network)), 0
            else:
                since += LOOK
            if stage.patience is not None and since >= stage.patience:
                break
    network.load_state_dict(best[1])
    return {
        "depth": stage.depth,
        "batches": iteration,
        "seconds": time.perf_counter() - began,
        "nmse": best[0],
    }


def _factor(stage: Stage, iteration: int) -> float:
    """Return the share of the rate: a warm-up, in which Adam learns the size of gradients, then flat or a cosine."""
    warm = min(1.0, (iteration + 1) / 100)
    return warm * (0.5 * (1 + math.cos(math.pi * iteration / stage.iterations)) if stage.cosine else 1.0)


def _keep_newest(network: CodingNetwork, layer: int) -> None:
    """Leave a gradient to the numbers of one layer only."""
    layered = {id(parameter) for parameter in network.layered()}
    for parameter in network.parameters():
        if parameter.grad is None:
            continue
        kept = parameter.grad[layer].clone() if id(parameter) in layered else None
        parameter.grad.zero_()
        if kept is not None:
            parameter.grad[layer] = kept


@torch.no_grad()
def _error(network: CodingNetwork, sensing: Sensing, stage: Stage, held_out: Pairs) -> float:
    targets, signals = held_out
    error = nmse(sensing.readout(network(signals, stage.depth)), targets).item()
    return error if math.isfinite(error) else math.inf


def _copy(network: CodingNetwork) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def _resume(network: CodingNetwork, path: Path, label: str, plan: dict[str, object]) -> list[dict[str, float]]:
    """Load the weights of the last full stage, if there is one, and return what was noted of the stages."""
    if not path.is_file():
        return []
    coders = load_coders(path)
    refuse_other(path, {"label": [*coders]}, {"label": [label]})
    saved = coders[label]
    refuse_other(path, saved.note["plan"], plan)
    network.load_state_dict(saved.network.state_dict())
    return list(saved.note["history"])
