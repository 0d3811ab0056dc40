"""The common corruptions as corrupt-tta makes them: image by image, in numpy, in three channels of eight bits."""

import ast
import inspect

import numpy as np
import torch
from corrupt_tta import corruption_dict


def librarys(name, images, severity, seed=0):
    """Corrupt images [B, channels, height, width]; of three equal channels the green one stands for a gray image."""
    pixels = images.mul(255).round().byte().expand(-1, 3, -1, -1).permute(0, 2, 3, 1).contiguous().numpy()
    state = np.random.get_state()  # noqa: NPY002 - the library draws from nothing else
    np.random.seed(seed)  # noqa: NPY002
    changed = [np.asarray(function(name)(image, severity), dtype=np.float32) for image in pixels]
    np.random.set_state(state)  # noqa: NPY002
    made = torch.from_numpy(np.stack(changed)).permute(0, 3, 1, 2) / 255
    return made[:, 1:2] if images.shape[1] == 1 else made


def function(name):
    return corruption_dict[name.replace(" ", "_")]


def levels(name):
    """Return what severities 1 to 5 mean in the library's source, where it is written out as a list."""
    written = inspect.getsource(function(name)).split("c = ")[1].split("[severity")[0]
    return [level if isinstance(level, tuple) else (level,) for level in ast.literal_eval(written)]
