"""What a module computes from its parameters alone, kept for as long as they stay what they are."""

import torch
from torch import Tensor, nn


class Kept:
    """The output of a module without inputs, computed once.

    It is computed anew when a gradient is asked of the module, when a parameter is another tensor or was written to,
    and after :meth:`forget`. On a CPU the parameters' numbers are compared. Elsewhere that would make the device wait,
    and tensors are told apart by their memory and by PyTorch's count of writes, which misses those through ``.data``.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Compute anew at the next call."""
        self._made_of: list[tuple[Tensor, int]] = []
        self._output: Tensor | None = None

    def output(self, module: nn.Module) -> Tensor:
        """Return the module's output."""
        parameters = list(module.parameters())
        learns = torch.is_grad_enabled() and any(p.requires_grad for p in parameters)
        if learns or torch.compiler.is_compiling():
            return module()
        if self._output is None or not self._is_made_of(parameters):
            # No tensor that inference mode would mark, since later calls may be part of a graph.
            with torch.inference_mode(False), torch.no_grad():
                self._output = module()
                self._made_of = [_mark(p) for p in parameters]
        return self._output

    def _is_made_of(self, parameters: list[Tensor]) -> bool:
        if len(parameters) != len(self._made_of):
            return False
        return all(_is_same(p, *mark) for p, mark in zip(parameters, self._made_of, strict=True))


def _mark(parameter: Tensor) -> tuple[Tensor, int]:
    """Return what a parameter is known by: a copy on a CPU, else its memory, which nobody reuses while it is held."""
    held = parameter.detach()
    return (held.clone(), 0) if _is_read(parameter) else (held, parameter._version)


def _is_same(parameter: Tensor, held: Tensor, version: int) -> bool:
    if parameter.dtype != held.dtype or parameter.device != held.device:
        return False
    if _is_read(parameter):
        return torch.equal(parameter, held)
    return parameter.data_ptr() == held.data_ptr() and parameter._version == version


def _is_read(parameter: Tensor) -> bool:
    return parameter.device.type == "cpu"
