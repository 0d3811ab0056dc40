"""A training under way: all that changes from step to step, which can be put into a file and taken out again."""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from unroll.study.recipe import Recipe


@dataclass(frozen=True)
class Epoch:
    """What is told of one pass over the data.

    Attributes:
        epoch: its number, from 1.
        step: steps done after it.
        loss: mean over its steps.
        learning_rate: of its last step.
        seconds: since the training began, interruptions aside.
        accuracy: on held-out data (%), where it was looked at.
    """

    epoch: int
    step: int
    loss: float
    learning_rate: float
    seconds: float
    accuracy: float | None = None


class Progress:
    """The network and all that moves with it: optimiser, schedule, average, random states, and the course so far.

    Args:
        model: the network, on the device where it is trained.
        recipe: how it is trained.
        generator: decides the order of the data and its augmentation.
        count: how many images it learns from.
    """

    def __init__(self, model: nn.Module, recipe: Recipe, generator: torch.Generator, count: int) -> None:
        self.model, self.recipe, self.generator, self.count = model, recipe, generator, count
        self.optimizer, self.schedule = _optimizer(model, recipe, recipe.epochs * math.ceil(count / recipe.batch))
        self.average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema)) if recipe.ema else None
        self.learning_rate = self.schedule.get_last_lr()[0]  # of the step under way, or of the last one
        self.epochs: list[Epoch] = []
        self.losses: list[Tensor] = []  # of the steps of the pass under way
        self._order = generator.get_state()  # before that pass was shuffled
        self._began = time.perf_counter()

    @property
    def judged(self) -> nn.Module:
        """The network that counts: the average where there is one."""
        return self.model if self.average is None else self.average.module

    @property
    def seconds(self) -> float:
        """Seconds of training, those before an interruption included."""
        return time.perf_counter() - self._began

    def batches(self) -> Iterator[Tensor]:
        """Yield the images of each step that is left of the pass under way."""
        now = self.generator.get_state()
        if self.losses:
            self.generator.set_state(self._order)
        else:
            self._order = now
        order = torch.randperm(self.count, generator=self.generator)
        if self.losses:
            self.generator.set_state(now)
        for chosen in order.split(self.recipe.batch)[len(self.losses) :]:
            self.learning_rate = self.schedule.get_last_lr()[0]
            yield chosen

    def step(self, loss: Tensor) -> None:
        """Take the step that the gradients ask for."""
        self.optimizer.step()
        self.schedule.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        self.losses.append(loss)

    def end_epoch(self, accuracy: float | None) -> None:
        """Close the pass under way; the next one begins."""
        steps = (len(self.epochs) + 1) * len(self.losses)
        loss = torch.stack(self.losses).mean().item()
        self.epochs.append(Epoch(len(self.epochs) + 1, steps, loss, self.learning_rate, self.seconds, accuracy))
        self.losses = []

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors of the training by name."""
        random = {"order": self._order, "images": self.generator.get_state(), "pytorch": torch.get_rng_state()}
        device = self._device
        if device.type != "cpu":
            random["device"] = torch.get_device_module(device).get_rng_state(device)
        parts = {
            "model": self.model.state_dict(),
            "average": {} if self.average is None else self.average.state_dict(),
            **{f"optimizer/{index}": state for index, state in self.optimizer.state_dict()["state"].items()},
            "random": random,
            "course": {"losses": torch.stack(self.losses)} if self.losses else {},
        }
        return {f"{part}/{name}": tensor for part, named in parts.items() for name, tensor in named.items()}

    def note(self) -> dict[str, object]:
        """Return the rest of the training as plain values."""
        return {
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "steps of the next epoch": len(self.losses),
            "learning rate": self.learning_rate,
            "seconds": self.seconds,
            "schedule": self.schedule.state_dict(),
            "groups": self.optimizer.state_dict()["param_groups"],
        }

    def restore(self, tensors: Mapping[str, Tensor], note: Mapping[str, object]) -> None:
        """Go back to where the training stood when :meth:`tensors` and :meth:`note` were asked for."""
        self.model.load_state_dict(_under("model", tensors))
        if self.average is not None:
            self.average.load_state_dict(_under("average", tensors))
        groups = note["groups"]
        moments = {index: _under(f"optimizer/{index}", tensors) for group in groups for index in group["params"]}
        state = {index: named for index, named in moments.items() if named}
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        self.schedule.load_state_dict(note["schedule"])
        self.learning_rate = note["learning rate"]
        self.epochs = [Epoch(**epoch) for epoch in note["epochs"]]
        self.losses = list(tensors.get("course/losses", torch.empty(0)).to(self._device))
        self._order = tensors["random/order"]
        self.generator.set_state(tensors["random/images"])
        torch.set_rng_state(tensors["random/pytorch"])
        if "random/device" in tensors and self._device.type != "cpu":
            torch.get_device_module(self._device).set_rng_state(tensors["random/device"], self._device)
        self._began = time.perf_counter() - note["seconds"]

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device


def _under(part: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    prefix = f"{part}/"
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


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
