"""The common corruptions as a library makes them: image by image, in numpy, in three channels of eight bits."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from unroll.study.data import Split

SMALLEST = 4  # pixels: below that the coarsest mosaic has no tile left
_GREEN = slice(1, 2)


def through_library(kind: str, data: Split, severity: int, generator: torch.Generator) -> Tensor:
    """Corrupt each image with the library's ``kind``; pixels are rounded to 8 bits on their way in.

    A gray image goes in as three equal channels, and the green one comes back. One channel, because noise is drawn for
    each by itself, and a mean would divide its standard deviation by the root of three; the green one, because it
    weighs most in brightness, where frost tints.

    The constants are those of ImageNet-C, for images of 224 pixels, at every size: in a small image a blur reaches
    further, and the elastic transform moves pixels across the whole image at severities 1 and 2. The library departs
    from the publication in three: motion blur averages evenly along a line, so that severities 2 to 4, whose lines are
    equally long, are alike, and the streaks of snow are drawn in this way too; fog is equally coarse at all severities.

    Raises:
        ValueError: when images have neither one nor three channels, are smaller than 4 x 4 pixels, or hold numbers
            that do not lie between 0 and 1.

    Source: Hendrycks and Dietterich 2019.
    """
    # It brings OpenCV and scikit-image, which take most of a second to load: only who corrupts waits for them.
    from corrupt_tta import corrupt

    pixels = _to_bytes(data.images)
    with numpy_seeded(torch.randint(2**32, (), generator=generator).item()):
        changed = [np.asarray(corrupt(image, severity, kind), dtype=np.float32) for image in pixels]
    images = torch.from_numpy(np.stack(changed)).div(255).permute(0, 3, 1, 2)
    return images[:, _GREEN if data.images.shape[1] == 1 else slice(None)].to(data.images).contiguous()


@contextmanager
def numpy_seeded(seed: int) -> Iterator[None]:
    """Let numpy's global random numbers start from ``seed`` within this context; the caller's go on after it."""
    state = np.random.get_state()  # noqa: NPY002 - the library draws from nothing else
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


def _to_bytes(images: Tensor) -> np.ndarray:
    """Return images as [B, height, width, 3], uint8."""
    channels, height, width = images.shape[1:]
    if channels not in (1, 3):
        raise ValueError(f"common corruptions need images of one channel or three, got {channels}")
    if min(height, width) < SMALLEST:
        raise ValueError(f"common corruptions need {SMALLEST} x {SMALLEST} pixels or more, got {height} x {width}")
    low, high = images.min().item(), images.max().item()
    if not 0 <= low <= high <= 1:
        raise ValueError(f"common corruptions need pixels between 0 and 1, got {low:.3g} to {high:.3g}")
    return images.mul(255).round().byte().expand(-1, 3, -1, -1).permute(0, 2, 3, 1).cpu().contiguous().numpy()
