"""Training a classifier: seeded, with a progress bar, on whatever devices there are, and never past a bad loss."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from unroll.study.checkpoint import Checkpoint, identity
from unroll.study.data import Split
from unroll.study.logs import Logs
from unroll.study.processes import bars, processes
from unroll.study.progress import Progress
from unroll.study.recipe import Recipe


class NonFiniteLossError(RuntimeError):
    """The loss or its gradient became NaN or infinite; the weights are those before the step that would spoil them."""


@dataclass(frozen=True)
class History:
    """The course of a training: mean loss of each epoch, accuracy on held-out data (%) where it was looked at.

    Attributes:
        loss: mean cross-entropy of each epoch, in nats.
        accuracy: on held-out data after each epoch, in per cent; empty where there were none.
        seconds: the training took.

    Example:
        >>> History(loss=[2.3, 1.9], accuracy=[], seconds=0.4).loss[-1]
        1.9
    """

    loss: list[float]
    accuracy: list[float]
    seconds: float


def seed_everything(seed: int) -> torch.Generator:
    """Seed PyTorch for the making of a model, and return a generator for the order of data and its augmentation.

    Example:
        >>> order = seed_everything(0)
        >>> torch.equal(torch.rand(3), torch.rand(3, generator=order))
        True
    """
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed)


def train(
    model: nn.Module,
    data: Split,
    recipe: Recipe,
    generator: torch.Generator,
    *,
    held_out: Split | None = None,
    label: str = "",
    checkpoint: Path | None = None,
    every: float = 60.0,
    logs: Logs | None = None,
) -> History:
    """Train ``model`` in place, on the device where it is; under PyTorch's launcher, with all processes together.

    ``torchrun --nproc-per-node 2 script.py`` starts such processes, on a CPU as well. So does, in a notebook,
    ``accelerate.notebook_launcher(function, (folder,), num_processes=2)``, for a function that makes a model, trains it
    and writes what is to be kept, since only files come back from it; the kernel must not have trained before.

    Every process must come with the same arguments. Each step, all draw the same images and the same changes of them,
    and each takes its share, so that the losses are those of one process up to round-off (layers that draw at random
    themselves aside). The first process alone writes files and shows the bar.

    Args:
        model: images to logits.
        data: what it learns from.
        recipe: how.
        generator: decides the order of the data and its augmentation.
        held_out: when given, its accuracy is looked at after each epoch (never used to choose the weights).
        label: what the progress bar says.
        checkpoint: file that holds where the training stands, for all processes to read. When it is there, the training
            goes on from it, on a CPU to the very bits that it would have come to. It stays when the training is done:
            whoever keeps the network removes it.
        every: seconds between two writings of the checkpoint within an epoch, at least; each epoch ends with one.
        logs: where the course is written, one row an epoch.

    Raises:
        NonFiniteLossError: as soon as the loss or its gradient is NaN or infinite, before the weights change.
        DataError: when the checkpoint is damaged, or belongs to another training.
        OSError: when a file cannot be written; the last checkpoint stays.

    Example:
        >>> from unroll.study import Entry, Recipe, Size, build, load, seed_everything, train
        >>> data, generator = load("digits"), seed_everything(0)
        >>> model = build(Entry("softmax"), data, Size(dim=16, depth=1, heads=2))
        >>> len(train(model, data.train.first(64), Recipe(epochs=2), generator).loss)
        2
    """
    kept = Checkpoint(checkpoint, identity(model, data, recipe, generator, held_out), every) if checkpoint else None
    shared = processes()
    accelerator = Accelerator(
        gradient_accumulation_steps=recipe.accumulate,
        mixed_precision="no",  # accelerate fixes it once for a process, but every recipe has its own: see _gradients
        device_placement=shared.use_distributed,
    )
    network = accelerator.prepare_model(model)
    network = torch.compile(network) if recipe.compile else network
    device = next(model.parameters()).device
    lessons = replace(data, images=data.images.to(device), labels=data.labels.to(device))
    progress = Progress(model, recipe, generator, len(data))
    if kept is not None:
        kept.restore(progress)
    if not shared.is_main_process:
        kept = logs = None
    with (
        tqdm(total=recipe.epochs, initial=len(progress.epochs), desc=label, unit="epoch", leave=False, **bars()) as bar,
        nullcontext() if logs is None else logs.opened(progress.epochs) as log,
    ):
        for epoch in range(len(progress.epochs) + 1, recipe.epochs + 1):
            model.train()
            for chosen in progress.batches():
                progress.optimizer.zero_grad()
                loss = _gradients(network, lessons, chosen, progress, accelerator)
                size = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                check_loss(loss, size, f"epoch {epoch}", progress.learning_rate)
                progress.step(loss)
                if kept is not None and kept.due:
                    kept.write(progress)
            progress.end_epoch(None if held_out is None else accuracy(progress.judged, held_out))
            if kept is not None:
                kept.write(progress)
            if log is not None:
                log.write(progress.epochs)
            bar.set_postfix(loss=f"{progress.epochs[-1].loss:.3f}")
            bar.update()
    if progress.average is not None:
        model.load_state_dict(progress.judged.state_dict())
    accuracies = [epoch.accuracy for epoch in progress.epochs if epoch.accuracy is not None]
    return History([epoch.loss for epoch in progress.epochs], accuracies, progress.seconds)


def _gradients(
    network: nn.Module, lessons: Split, chosen: Tensor, progress: Progress, accelerator: Accelerator
) -> Tensor:
    """Leave the gradients of one step in the network, and return its mean loss over all processes."""
    recipe, device = progress.recipe, lessons.images.device
    draws, losses = recipe.augment.draw(len(chosen), progress.generator), []
    for part, share in _shares(len(chosen), recipe.accumulate):
        images, labels = lessons.images[chosen[part]], lessons.labels[chosen[part]]
        images = recipe.augment.apply(images, draws[:, part])
        with accelerator.accumulate(network):
            with torch.autocast(device.type, torch.bfloat16) if recipe.precision == "bfloat16" else nullcontext():
                loss = F.cross_entropy(network(images), labels)
            # Gradients are averaged over micro-batches and processes, which need not have equally many images.
            accelerator.backward(loss * (share * recipe.accumulate * accelerator.num_processes))
        losses.append(loss.detach() * share)
    loss = torch.stack(losses).sum()
    return accelerator.reduce(loss) if accelerator.use_distributed else loss


def _shares(count: int, accumulate: int) -> Iterator[tuple[slice, float]]:
    """Yield this process's micro-batches of a step on ``count`` images, each with its share of the step."""
    shared = processes()
    parts = shared.num_processes * accumulate
    for number in range(shared.process_index * accumulate, (shared.process_index + 1) * accumulate):
        start, stop = number * count // parts, (number + 1) * count // parts
        # All processes must meet, so one without images takes one that counts for nothing.
        yield slice(start, max(stop, start + 1)), (stop - start) / count


def check_loss(loss: Tensor, size: Tensor, when: str, rate: float) -> None:
    """Raise NonFiniteLossError unless a loss and the norm of its gradient are numbers."""
    if not torch.isfinite(loss + size):
        raise NonFiniteLossError(
            f"loss is {loss.item():.3g}, its gradient {size.item():.3g}, in {when} at learning "
            f"rate {rate:.2g}; the step was not taken: lower the learning rate or look for NaN in the data"
        )


@torch.no_grad()
def predict(model: nn.Module, data: Split, batch: int = 250) -> Tensor:
    """Return the logits of all images, [n, classes], on the CPU."""
    model.eval()
    device = next(model.parameters()).device
    return torch.cat([model(images.to(device)).cpu() for images in data.images.split(batch)])


def accuracy(model: nn.Module, data: Split, batch: int = 250) -> float:
    """Return the share of images that ``model`` classifies correctly, in per cent.

    Example:
        >>> from unroll.study import Entry, Size, build, load
        >>> digits = load("digits")
        >>> 0 <= accuracy(build(Entry("softmax"), digits, Size(16, 1, 2)), digits.test) <= 100
        True
    """
    return 100 * (predict(model, data, batch).argmax(dim=1) == data.labels).double().mean().item()
