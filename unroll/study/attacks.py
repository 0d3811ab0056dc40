"""Attacks: images changed on purpose, through the network's own gradient."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unroll.registry import Registry
from unroll.study.corruptions import Condition
from unroll.study.data import Split


class Attack(Condition):
    """Made for one network: ``apply`` takes the network, a split and a strength."""


attacks: Registry[Attack] = Registry("attack")


def fgsm(model: nn.Module, data: Split, epsilon: float, batch: int = 250) -> Tensor:
    r"""Move every pixel by epsilon towards a larger loss.

    .. math:: x' = \mathrm{clip}_{[0, 1]}\bigl(x + \epsilon\, \mathrm{sign}(\nabla_x \ell(f(x), y))\bigr)

    The gradient runs through the solver inside the network, whatever it is.

    Args:
        model: images to logits; evaluated, not changed.
        data: images and their true labels.
        epsilon: step, in pixels that run from 0 to 1.
        batch: images at a time.

    Source: Goodfellow, Shlens and Szegedy 2015, section 4.
    """
    model.eval()
    device = next(model.parameters()).device
    changed = []
    for images, labels in zip(data.images.split(batch), data.labels.split(batch), strict=True):
        images = images.to(device).requires_grad_()
        loss = F.cross_entropy(model(images), labels.to(device), reduction="sum")
        (slope,) = torch.autograd.grad(loss, images)
        changed.append((images + epsilon * slope.sign()).clamp(0, 1).detach().cpu())
    return torch.cat(changed)


attacks.register("fgsm")(Attack(fgsm, (0.01, 0.02, 0.04, 0.07, 0.1), "step (pixels run from 0 to 1)"))
