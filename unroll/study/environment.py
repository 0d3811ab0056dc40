"""Where numbers were made: versions, device, threads."""

import platform
from importlib.metadata import version

import torch


def describe_environment(device: torch.device) -> dict[str, object]:
    """Return the versions and the device that numbers depend on.

    Example:
        >>> describe_environment(torch.device("cpu"))["device"]
        'cpu'
    """
    return {
        "unroll": version("unroll"),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": device.type,
        **({"accelerator": torch.cuda.get_device_name(device)} if device.type == "cuda" else {}),
        "threads": torch.get_num_threads(),
    }
