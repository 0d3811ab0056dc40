"""What an attack is, and what all of them share: the batches, the slope by the pixels, how wrong a network is."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unroll.registry import Registry
from unroll.study.corruptions import Condition
from unroll.study.data import Split
from unroll.study.training import NonFiniteLossError

STRENGTHS = (0.01, 0.02, 0.04, 0.07, 0.1)  # of attacks on all pixels
DEAR = (2, 3)  # below hardly a digit falls to a strong attack, above hardly one stands
UNIT = "largest change of a pixel (0 to 1)"


@dataclass(frozen=True)
class Attack(Condition):
    """Made for one network: ``apply`` takes the network, a split and a strength.

    Attributes:
        images: how many images of a split, the first ones, a dear attack is made for; all when None. The shipped splits
            mix their classes, so that the first ones are a sample of the rest.
    """

    images: int | None = None


attacks: Registry[Attack] = Registry("attack")


def in_batches(model: nn.Module, data: Split, batch: int, change: Callable[[Tensor, Tensor, slice], Tensor]) -> Tensor:
    """Return all images changed, on the CPU.

    Args:
        model: put into eval mode; its device is where ``change`` is called.
        data: images and labels.
        batch: images at a time.
        change: takes images, labels and their place in the split, returns the images to be put there.
    """
    model.eval()
    device = next(model.parameters()).device
    places = [slice(start, start + batch) for start in range(0, len(data), batch)]
    changed = [change(data.images[place].to(device), data.labels[place].to(device), place) for place in places]
    return torch.cat([images.cpu() for images in changed])


def losses_and_slope(model: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return each image's cross-entropy, [B], and its gradient by the pixels; parameters gather none.

    Raises:
        NonFiniteLossError: when the gradient is NaN or infinite: then no attack could follow it.
    """
    images = images.detach().requires_grad_()
    with torch.enable_grad():
        losses = F.cross_entropy(model(images), labels, reduction="none")
    return losses.detach(), slope_by(images, losses.sum())


def slope_by(images: Tensor, loss: Tensor) -> Tensor:
    """Return the gradient of a loss by the images that it was computed from; zero where it does not depend on them.

    Raises:
        NonFiniteLossError: when the gradient is NaN or infinite.
    """
    (slope,) = torch.autograd.grad(loss, images, materialize_grads=True)
    if not torch.isfinite(slope).all():
        raise NonFiniteLossError(
            "the gradient of the loss by the pixels must be finite for an attack, got NaN or infinity: "
            "does the network's solver diverge?"
        )
    return slope


@torch.no_grad()
def margin(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return by how much the best wrong logit exceeds the true one, [B]: above zero where the network errs."""
    logits = model(images)
    true = F.one_hot(labels, logits.shape[-1]).bool()
    return logits.masked_fill(true, float("-inf")).amax(dim=-1) - logits[true]


def square_masks(tops: Tensor, lefts: Tensor, side: int, height: int, width: int) -> Tensor:
    """Return where a square of each image lies, [B, 1, height, width], by its first rows and columns, [B] each."""
    rows = torch.arange(height, device=tops.device) - tops[:, None]
    columns = torch.arange(width, device=lefts.device) - lefts[:, None]
    inside = ((rows >= 0) & (rows < side))[:, :, None] & ((columns >= 0) & (columns < side))[:, None, :]
    return inside.unsqueeze(1)
