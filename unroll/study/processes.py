"""The processes that train one network together: one, or as many as PyTorch's launcher has started."""

import os
from datetime import timedelta

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list

_PATIENCE = timedelta(hours=3)  # the others wait while the first process measures


def processes() -> PartialState:
    """Return accelerate's view of the processes; under a launcher, the first call lets them meet.

    Raises:
        RuntimeError: when a launcher started several processes that cannot meet.

    Example:
        >>> processes().num_processes
        1
    """
    # accelerate lets processes without an accelerator meet only when it is told that there is none.
    state = PartialState(cpu=not torch.accelerator.is_available(), timeout=_PATIENCE)
    launched = int(os.environ.get("WORLD_SIZE", "1")) if "LOCAL_RANK" in os.environ else 1
    if launched != state.num_processes:
        raise RuntimeError(
            f"a launcher started {launched} processes, but this one sees {state.num_processes}: in a notebook, launch "
            "in a fresh kernel, before anything is trained or a device picked; on one machine without CUDA, hide "
            "other accelerators"
        )
    return state


def pick_device() -> torch.device:
    """Return the accelerator of this process if there is one, else the CPU.

    Example:
        >>> pick_device().type in ("cpu", "cuda", "mps", "xpu")
        True
    """
    return processes().device


def agreed(value: object) -> object:
    """Return the first process's value in all of them, so that what each does next does not depend on a race."""
    values = [value]
    return broadcast_object_list(values)[0] if processes().use_distributed else value


def bars() -> dict[str, bool]:
    """Return the arguments of tqdm that leave progress bars to the first process."""
    return {} if processes().is_main_process else {"disable": True}
