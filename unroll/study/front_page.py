"""The README's picture: a small network is trained, and the map of its first layer is watched while the solver runs."""

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
from unroll.study.maps import STEPS, draw_heard
from unroll.study.metrics import normalised
from unroll.study.processes import pick_device
from unroll.study.recipe import Recipe
from unroll.study.style import theme
from unroll.study.training import seed_everything, train

EPOCHS, NOISE, WATCHED = 12, 4, 200  # NOISE: severity; WATCHED: the first test digits
INK = 0.2  # mean grey from which on a patch counts as stroke


def picture() -> Figure:
    """Train two blocks of ``vars-d`` on mnist5k and draw what comes of it."""
    data = load("mnist5k")
    generator = seed_everything(0)
    model = build(Entry("vars-d"), data, Size(depth=2)).to(pick_device())
    train(model, data.train, Recipe(epochs=EPOCHS), generator, label="the README's picture")
    return emerging(model, data.test.first(WATCHED))


def emerging(model: ImageModel, clean: Split) -> Figure:
    """Draw what the patches of a stroke hear after more and more solver steps, weights unchanged.

    To the left the first image, clean and noisy; to the right the share of what is heard that comes from the stroke,
    over all images. What a patch hears of itself is left out of both.
    """
    stroke = functional.adaptive_avg_pool2d(clean.images, model.grid).flatten(1) > INK
    seen = {"clean": clean, "noise": corrupt(clean, "gaussian noise", NOISE)}
    heard = {name: heard_of_others(model, split) for name, split in seen.items()}
    with theme():
        figure = plt.figure(figsize=(16, 4.8))
        left, right = figure.subfigures(1, 2, width_ratios=[3, 1])
        left.suptitle("What the patches of the stroke hear: each square is a patch, the redder the more")
        rows, curves = left.subplots(2, len(STEPS) + 1), right.subplots()
        for axis, title in zip(rows[0], ["image", "1 step", *(f"{steps} steps" for steps in STEPS[1:])], strict=True):
            axis.set_title(title)
        for (name, course), axes, style in zip(heard.items(), rows, ("o-", "s--"), strict=True):
            draw_heard(axes[0], seen[name].images[0], None)
            axes[0].set_ylabel(name)
            for axis, stage in zip(axes[1:], course, strict=True):
                draw_heard(axis, clean.images[0], None, stage[0, stroke[0]].mean(0).view(model.grid))
            curves.plot(STEPS, [100 * loyalty(stage, stroke) for stage in course], style, label=name)
        curves.axhline(100 * chance(stroke), color="#4d4d4d", linestyle=":", label="by chance")
        curves.set(xscale="log", xlabel="solver steps", xticks=STEPS, xticklabels=STEPS)
        curves.set(ylim=(0, None), ylabel=f"share (%), mean of {len(clean)} digits", title="Heard from the stroke")
        curves.legend(loc="lower right")
    return figure


@torch.no_grad()
def heard_of_others(model: ImageModel, split: Split) -> Annotated[Tensor, "S B N N"]:
    """Return the map of the first layer after each number of steps: heads averaged, and nothing on the diagonal."""
    x, *_ = model.attention_inputs(split.images.to(model.mean.device))
    maps = model.blocks[0].attention.attention_course(x, STEPS).mean(dim=2).cpu()
    maps.diagonal(dim1=-2, dim2=-1).zero_()
    return maps


def loyalty(maps: Annotated[Tensor, "B N N"], group: Annotated[Tensor, "B N"]) -> float:
    """Return which share of what a group's tokens hear comes from their group, the mean over them.

    Example:
        >>> loyalty(torch.full((1, 4, 4), 0.25), torch.tensor([[True, False, False, False]]))
        0.25
    """
    return (normalised(maps) * group[:, None, :]).sum(dim=-1)[group].mean().item()


def chance(group: Annotated[Tensor, "B N"]) -> float:
    """Return that share for a map that hears all others alike.

    Example:
        >>> chance(torch.tensor([[True, True, False]]))
        0.5
    """
    others = 1 - torch.eye(group.shape[1]).expand(len(group), -1, -1)
    return loyalty(others, group)
