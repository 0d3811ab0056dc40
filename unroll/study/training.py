"""Training a classifier: seeded, with a progress bar, on whatever device there is, and never past a bad loss."""

import math
import time
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from unroll import validate
from unroll.study.augment import RandomAffine
from unroll.study.data import Split


class NonFiniteLossError(RuntimeError):
    """The loss or its gradient became NaN or infinite; the weights are those before the step that would spoil them."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: AdamW, one cosine after a linear warm-up.

    Args:
        epochs: passes over the data.
        batch: images a step.
        learning_rate: peak step of AdamW.
        weight_decay: of AdamW, on matrices only.
        warmup: share of all steps that warm up, 0 to 1.
        augment: how images are changed; ``RandomAffine(0, 0, 0)`` leaves them alone.
        compile: train through ``torch.compile``: the same arithmetic up to round-off, in about half the time on a CPU
            after the best part of a minute's preparation; needs a C++ compiler.
    """

    epochs: int = 40
    batch: int = 64
    learning_rate: float = 4e-3
    weight_decay: float = 0.05
    warmup: float = 0.1
    augment: RandomAffine = field(default_factory=RandomAffine)
    compile: bool = False

    def __post_init__(self) -> None:
        validate.count("epochs", self.epochs)
        validate.count("batch", self.batch)
        validate.positive("learning_rate", self.learning_rate)
        validate.at_least("weight_decay", self.weight_decay, 0)
        validate.share("warmup", self.warmup)


@dataclass(frozen=True)
class History:
    """The course of a training: mean loss of each epoch, accuracy on held-out data (%) where it was looked at."""

    loss: list[float]
    accuracy: list[float]
    seconds: float


def pick_device() -> torch.device:
    """Return the accelerator if there is one, else the CPU."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    return torch.device("cpu") if accelerator is None else accelerator


def seed_everything(seed: int) -> torch.Generator:
    """Seed PyTorch for the making of a model, and return a generator for the order of data and its augmentation."""
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
) -> History:
    """Train ``model`` in place, on the device where it is.

    Args:
        model: images to logits.
        data: what it learns from.
        recipe: how.
        generator: decides the order of the data and its augmentation.
        held_out: when given, its accuracy is looked at after each epoch (never used to choose the weights).
        label: what the progress bar says.

    Raises:
        NonFiniteLossError: as soon as the loss or its gradient is NaN or infinite, before the weights change.
    """
    device = next(model.parameters()).device
    images, labels = data.images.to(device), data.labels.to(device)
    optimizer, schedule = _optimizer(model, recipe, steps=recipe.epochs * math.ceil(len(data) / recipe.batch))
    network = torch.compile(model) if recipe.compile else model
    mean_loss, accuracies = [], []
    began = time.perf_counter()
    with tqdm(total=recipe.epochs, desc=label, unit="epoch", leave=False) as bar:
        for epoch in range(recipe.epochs):
            model.train()
            losses = []
            for chosen in torch.randperm(len(data), generator=generator).split(recipe.batch):
                batch = recipe.augment(images[chosen], generator)
                loss = F.cross_entropy(network(batch), labels[chosen])
                optimizer.zero_grad()
                loss.backward()
                size = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                check_loss(loss, size, f"epoch {epoch + 1}", schedule.get_last_lr()[0])
                optimizer.step()
                schedule.step()
                losses.append(loss.detach())
            mean_loss.append(torch.stack(losses).mean().item())
            if held_out is not None:
                accuracies.append(accuracy(model, held_out))
            bar.set_postfix(loss=f"{mean_loss[-1]:.3f}")
            bar.update()
    return History(mean_loss, accuracies, time.perf_counter() - began)


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
    """Return the share of images that ``model`` classifies correctly, in per cent."""
    return 100 * (predict(model, data, batch).argmax(dim=1) == data.labels).double().mean().item()


def _optimizer(
    model: nn.Module, recipe: Recipe, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    weights = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in weights if p.ndim >= 2], "weight_decay": recipe.weight_decay},
        {"params": [p for p in weights if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate)
    warm = max(1, round(recipe.warmup * steps))

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
