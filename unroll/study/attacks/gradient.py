"""Attacks on all pixels along the network's gradient, through foolbox: one step, and many."""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from unroll import validate
from unroll.study.attacks.attack import DEAR, STRENGTHS, UNIT, Attack, attacks, in_batches, margin, slope_by
from unroll.study.data import Split

with warnings.catch_warnings():
    # foolbox 3.3.4 takes this name from where scipy is about to drop it.
    warnings.filterwarnings("ignore", message="Please import `gaussian_filter`", category=DeprecationWarning)
    import eagerpy
    from foolbox import Misclassification, PyTorchModel
    from foolbox.attacks import LinfFastGradientAttack, LinfProjectedGradientDescentAttack


class _ByPixels:
    """foolbox's own gradient would be left behind in the parameters too."""

    def value_and_grad(
        self, loss_fn: Callable[[eagerpy.Tensor], eagerpy.Tensor], x: eagerpy.Tensor
    ) -> tuple[eagerpy.Tensor, eagerpy.Tensor]:
        images = x.raw.detach().requires_grad_()
        with torch.enable_grad():
            loss = loss_fn(eagerpy.astensor(images))
        return loss, eagerpy.astensor(slope_by(images, loss.raw))


class _FastGradient(_ByPixels, LinfFastGradientAttack):
    """One step of size epsilon."""


class _ProjectedGradient(_ByPixels, LinfProjectedGradientDescentAttack):
    """Many steps from a start that is drawn outside: the same on every device, in batches of any size."""

    def __init__(self, steps: int, start: Tensor) -> None:
        super().__init__(rel_stepsize=2.5 / steps, steps=steps, random_start=True)
        self.start = start

    def get_random_start(self, x0: eagerpy.Tensor, epsilon: float) -> eagerpy.Tensor:
        return x0 + epsilon * eagerpy.astensor(self.start)


def fgsm(model: nn.Module, data: Split, epsilon: float, batch: int = 250) -> Tensor:
    r"""Move every pixel by epsilon towards a larger loss: the fast gradient sign method.

    .. math:: x' = \mathrm{clip}_{[0, 1]}\bigl(x + \epsilon\, \mathrm{sign}(\nabla_x \ell(f(x), y))\bigr)

    The gradient runs through the solver inside the network, whatever it is.

    Args:
        model: images to logits; evaluated, not changed.
        data: images and their true labels.
        epsilon: step, in pixels that run from 0 to 1.
        batch: images at a time.

    Shapes: the images that are returned are those of ``data``, [n, channels, height, width], on the CPU.

    Raises:
        ValueError: when epsilon is below zero, or batch no whole number above it.
        NonFiniteLossError: when the gradient is not finite.

    Source: Goodfellow, Shlens and Szegedy 2015, section 4.

    Example:
        >>> from unroll.study import Entry, Size, build, load
        >>> digits = load("digits")
        >>> network = build(Entry("softmax"), digits, Size(16, 1, 2))
        >>> moved = fgsm(network, digits.test.first(8), 0.1)
        >>> (moved - digits.test.images[:8]).abs().max().item()
        0.1
    """
    validate.at_least("epsilon", epsilon, 0)
    validate.count("batch", batch)

    def step(images: Tensor, labels: Tensor, place: slice) -> Tensor:
        return _run(_FastGradient(), model, images, labels, epsilon)

    return in_batches(model, data, batch, step)


def pgd(
    model: nn.Module,
    data: Split,
    epsilon: float,
    *,
    steps: int = 50,
    restarts: int = 2,
    seed: int = 0,
    batch: int = 250,
) -> Tensor:
    r"""Climb the loss in many steps, no pixel moving by more than epsilon: projected gradient descent.

    .. math::
        x^{(k+1)} = \Pi\Bigl(x^{(k)} + \frac{2.5\, \epsilon}{K}\, \mathrm{sign}(\nabla_x \ell(f(x^{(k)}), y))\Bigr)

    The projection keeps every pixel in [0, 1] and within epsilon of where it was. Each of the restarts sets out from a
    point drawn evenly from there; an image that fell is not attacked again. What is returned for an image is the worst
    of what was found and of the image itself: that with the largest margin of a wrong logit over the true one.

    Args:
        model: images to logits; evaluated, not changed.
        data: images and their true labels.
        epsilon: largest change of a pixel, in pixels that run from 0 to 1.
        steps: number of steps K.
        restarts: number of starts.
        seed: of the starts; neither the caller's random state nor the size of a batch has a say.
        batch: images at a time.

    Shapes: the images that are returned are those of ``data``, [n, channels, height, width], on the CPU.

    Raises:
        ValueError: when epsilon is below zero, or steps, restarts or batch is no whole number above it.
        NonFiniteLossError: when the gradient is not finite.

    Source: Madry et al. 2018. With steps of 2.5 epsilon / K an attack can cross the ball and still turn back.

    Example:
        >>> from unroll.study import Entry, Size, build, load
        >>> digits = load("digits")
        >>> network = build(Entry("softmax"), digits, Size(16, 1, 2))
        >>> moved = pgd(network, digits.test.first(8), 0.1, steps=5)
        >>> (moved - digits.test.images[:8]).abs().max().item() <= 0.1 + 1e-6
        True
    """
    validate.at_least("epsilon", epsilon, 0)
    for name, value in {"steps": steps, "restarts": restarts, "batch": batch}.items():
        validate.count(name, value)
    generator = torch.Generator().manual_seed(validate.count("seed", seed, low=0))
    starts = 2 * torch.rand(restarts, *data.images.shape, generator=generator) - 1

    def worst(images: Tensor, labels: Tensor, place: slice) -> Tensor:
        found, reached = images.clone(), margin(model, images, labels)
        left = torch.ones_like(labels, dtype=torch.bool)
        for start in starts[:, place].to(images):
            tried = _run(_ProjectedGradient(steps, start[left]), model, images[left], labels[left], epsilon)
            risen = margin(model, tried, labels[left])
            better = risen > reached[left]
            found[left] = torch.where(better[:, None, None, None], tried, found[left])
            reached[left] = torch.maximum(risen, reached[left])
            left = reached <= 0
            if not left.any():
                break
        return found

    return in_batches(model, data, batch, worst)


def _run(
    attack: LinfFastGradientAttack | LinfProjectedGradientDescentAttack,
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    epsilon: float,
) -> Tensor:
    target = PyTorchModel(model, bounds=(0, 1), device=images.device)
    return attack.run(target, images, Misclassification(labels), epsilon=epsilon)


attacks.register("fgsm")(Attack(fgsm, STRENGTHS, "step (pixels run from 0 to 1)"))
attacks.register("pgd")(Attack(pgd, STRENGTHS, UNIT, looked_at=DEAR, images=128))
