"""The README's picture: a small network is trained, and its first layer is watched while the solver runs."""

from typing import Annotated

import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional

from unroll.models import ImageModel
from unroll.study.corruptions import corrupt
from unroll.study.data import Split, load
from unroll.study.entries import Entry, Size, build
from unroll.study.maps import STEPS, settling
from unroll.study.metrics import normalised
from unroll.study.processes import pick_device
from unroll.study.recipe import Recipe
from unroll.study.style import theme
from unroll.study.training import seed_everything, train

DIGIT, PATCH = 3, 24
NOISE, WATCHED = 4, 200  # severity; test images of the curves
INK = 0.2  # mean grey from which on a patch counts as stroke


def picture(epochs: int = 12) -> Figure:
    """Train two blocks of ``vars-d`` on mnist5k; draw what a patch of a test digit hears, clean and noisy, step by step.

    Beside it, over many test digits: how much of what the patches of the stroke hear comes from the stroke.
    """
    data = load("mnist5k")
    generator = seed_everything(0)
    model = build(Entry("vars-d"), data, Size(depth=2)).to(pick_device())
    train(model, data.train, Recipe(epochs=epochs), generator, label="the README's picture")
    clean = data.test.first(WATCHED)
    seen = {"clean": clean, "noise": corrupt(clean, "gaussian noise", NOISE)}
    stroke = functional.adaptive_avg_pool2d(clean.images, model.grid).flatten(1) > INK
    with theme():
        figure = plt.figure(figsize=(16, 4.6))
        left, right = figure.subfigures(1, 2, width_ratios=[3, 1])
        settling(model, {name: split.images[DIGIT] for name, split in seen.items()}, PATCH, onto=left)
        axis = right.subplots()
        for (name, split), style in zip(seen.items(), ("o-", "s--"), strict=True):
            shares = [loyalty(stage, stroke) for stage in course(model, split)]
            axis.plot(STEPS, [100 * share for share in shares], style, label=name)
        chance = 100 * stroke.float().mean().item()
        axis.axhline(chance, color="#4d4d4d", linestyle=":", label="chance")
        axis.set(xscale="log", xticks=STEPS, xticklabels=STEPS, ylim=(0, None))
        axis.set(xlabel="solver steps", ylabel="%", title="a stroke's share\nof what strokes hear")
        axis.legend()
    return figure


@torch.no_grad()
def course(model: ImageModel, split: Split) -> Annotated[Tensor, "S B H N N"]:
    """Return the maps of the first layer after each number of steps."""
    (x, *_) = model.attention_inputs(split.images.to(model.mean.device))
    return model.blocks[0].attention.attention_course(x, STEPS).cpu()


def loyalty(maps: Annotated[Tensor, "B H N N"], group: Annotated[Tensor, "B N"]) -> float:
    """Return which share of \\|A\\| a group's tokens give to their group, the mean over them.

    Example:
        >>> loyalty(torch.full((1, 1, 4, 4), 0.25), torch.tensor([[True, False, False, False]]))
        0.25
    """
    given = (normalised(maps).mean(dim=1) * group[:, None, :]).sum(dim=-1)
    return given[group].mean().item()
