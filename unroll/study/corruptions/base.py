"""What a corruption is, the register of all, and the one way to corrupt a split."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from zlib import crc32

import torch
from torch import Tensor

from unroll import validate
from unroll.registry import Registry
from unroll.study.data import Split

SEVERITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Condition:
    """One way to make images harder, at five severities.

    Attributes:
        apply: returns the changed images, [B, channels, height, width]; or several versions of all of them, one after
            the other, over which accuracy is then averaged.
        strengths: what severities 1 to 5 mean, growing.
        unit: what a strength is, for the axis of a figure.
        looked_at: the severities that a study looks at, where all would be too dear; every one when None.
    """

    apply: Callable[..., Tensor]
    strengths: tuple[float, ...]
    unit: str
    looked_at: tuple[int, ...] | None = None

    @property
    def severities(self) -> dict[int, float]:
        """The severities that a study looks at, with what they mean."""
        every = dict(enumerate(self.strengths, start=1))
        return {severity: every[severity] for severity in self.looked_at or every}


@dataclass(frozen=True)
class Corruption(Condition):
    """The same for every network: ``apply`` takes a split, a strength and a generator.

    Attributes:
        stream: the number of its random numbers; when None its name decides, whatever else is registered.
    """

    stream: int | None = None


corruptions: Registry[Corruption] = Registry("corruption")


def corrupt(data: Split, name: str, severity: int, *, seed: int = 0) -> Split:
    """Return a corrupted copy of a split; seed, name and severity decide every pixel.

    Raises:
        ValueError: on an unknown corruption, a severity that is not 1 to 5, or images that the corruption cannot take.

    Example:
        >>> from unroll.study.data import load
        >>> noisy = corrupt(load("digits").test, "gaussian noise", severity=3)
        >>> noisy.images.shape
        torch.Size([450, 1, 8, 8])
    """
    corruption = corruptions[name]
    if severity not in SEVERITIES:
        raise ValueError(f"severity must be one of {SEVERITIES}, got {severity!r}")
    validate.count("seed", seed, low=0)
    stream = crc32(name.encode()) if corruption.stream is None else corruption.stream
    generator = torch.Generator().manual_seed(1000 * seed + 10 * stream + severity)
    images = corruption.apply(data, corruption.strengths[severity - 1], generator)
    return replace(data, images=images, labels=data.labels.repeat(len(images) // len(data)))
