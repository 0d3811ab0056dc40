"""How much memory a piece of work takes at its peak, in tensors."""

import weakref
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def peak_bytes(work: Callable[[], object], device: torch.device) -> int:
    """Return the bytes that the tensors of a piece of work take at the moment when they take most.

    On a CUDA device the allocator says so; elsewhere every tensor that an operation touches counts from then on until
    it is freed, what an operation needs inside itself aside.

    Example:
        >>> peak_bytes(lambda: torch.zeros(1000) + torch.zeros(1000), torch.device("cpu"))
        12000
    """
    if device.type == "cuda":
        allocator = torch.get_device_module(device)
        allocator.reset_peak_memory_stats(device)
        work()
        return allocator.max_memory_allocated(device)
    with _Counter() as counter:
        work()
    return counter.peak


class _Counter(TorchDispatchMode):
    """Counts the bytes of all storage that operations touch, from the first time until it is freed."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = self._now = 0
        self._alive: dict[int, weakref.ref] = {}

    def __torch_dispatch__(
        self,
        func: Callable[..., object],
        types: Sequence[type],
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        outputs = func(*args, **(kwargs or {}))
        for tensor in tree_leaves((args, kwargs, outputs)):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        self.peak = max(self.peak, self._now)
        return outputs

    def _count(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._alive:
            return

        def freed(_: weakref.ref) -> None:
            del self._alive[key]
            self._now -= size

        self._alive[key] = weakref.ref(storage, freed)
        self._now += size
