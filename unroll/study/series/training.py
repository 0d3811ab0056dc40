"""Training on time series: RAdam, the last epoch, and one look at the test series."""

import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from unroll import validate
from unroll.models import SeriesModel
from unroll.study.series.data import SeriesDataset, SeriesSplit
from unroll.study.training import check_loss


@dataclass(frozen=True)
class SeriesRecipe:
    """How a network is trained; the defaults are those of the released code of evolving attention.

    Args:
        epochs: passes over the training series.
        batch: series a step.
        learning_rate: of RAdam, constant.
        clip: the largest norm of a gradient.

    Raises:
        ValueError: when a number is not above zero.
    """

    epochs: int = 400
    batch: int = 64
    learning_rate: float = 1e-3
    clip: float = 4.0

    def __post_init__(self) -> None:
        validate.count("epochs", self.epochs)
        validate.count("batch", self.batch)
        validate.positive("learning_rate", self.learning_rate)
        validate.positive("clip", self.clip)


def train_series(
    model: SeriesModel, data: SeriesDataset, recipe: SeriesRecipe, generator: torch.Generator, label: str = ""
) -> float:
    """Train ``model`` in place, on the device where it is, and return the seconds that it took.

    Numbers to regress are learned in units of their deviation over the training series.

    Raises:
        NonFiniteLossError: as soon as the loss or its gradient is NaN or infinite, before the weights change.
    """
    device = next(model.parameters()).device
    split = data.train.to(device)
    targets = split.targets if data.classes else _standard(data, split.targets)
    optimizer = torch.optim.RAdam(model.parameters(), lr=recipe.learning_rate)
    began = time.perf_counter()
    model.train()
    for epoch in tqdm(range(recipe.epochs), desc=label, unit="epoch", leave=False):
        for chosen in torch.randperm(len(split), generator=generator).to(device).split(recipe.batch):
            outputs = model(*_trimmed(split, chosen))
            loss = _loss(outputs, targets[chosen], data)
            optimizer.zero_grad()
            loss.backward()
            size = nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
            check_loss(loss, size, f"epoch {epoch + 1}", recipe.learning_rate)
            optimizer.step()
    return time.perf_counter() - began


@torch.no_grad()
def judge(model: SeriesModel, data: SeriesDataset, batch: int = 64) -> float:
    """Return the accuracy on the test series in per cent, or the root mean squared error in units of the target."""
    model.eval()
    device = next(model.parameters()).device
    split = data.test.to(device)
    parts = torch.arange(len(split), device=device).split(batch)
    outputs = torch.cat([model(*_trimmed(split, chosen)) for chosen in parts])
    if data.classes:
        return 100 * (outputs.argmax(dim=1) == split.targets).double().mean().item()
    mean, std = _moments(data)
    return math.sqrt((outputs[:, 0] * std + mean - split.targets).double().square().mean().item())


def _trimmed(split: SeriesSplit, chosen: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return the chosen series without the steps that none of them has, and their mask if any is shorter."""
    mask = split.mask[chosen]
    steps = int(mask.any(dim=0).sum())
    return split.values[chosen, :steps], None if mask[:, :steps].all() else mask[:, :steps]


def _loss(outputs: Tensor, targets: Tensor, data: SeriesDataset) -> Tensor:
    return F.cross_entropy(outputs, targets) if data.classes else F.mse_loss(outputs[:, 0], targets)


def _moments(data: SeriesDataset) -> tuple[float, float]:
    return data.train.targets.mean().item(), data.train.targets.std().item()


def _standard(data: SeriesDataset, targets: Tensor) -> Tensor:
    mean, std = _moments(data)
    return (targets - mean) / std
