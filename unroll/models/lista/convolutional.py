"""Convolutional LISTA: one small dictionary at every place of an image."""

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unroll import validate
from unroll.contracts import Kind, Problem
from unroll.models.lista.base import CodingNetwork, networks
from unroll.models.lista.steps import relative_move
from unroll.problems import soft_threshold

Images = Annotated[Tensor, "B 1 height width"]


@dataclass(frozen=True, eq=False)
class ConvolutionalSteps(Problem):
    r"""One layer of :class:`ConvolutionalLISTA`.

    Args:
        images: y.
        synthesis: D, kernels that build an image from codes.
        analysis: W, kernels that read what is missing.
        thresholds: theta, one a layer and kernel.
    """

    images: Images
    synthesis: Annotated[Tensor, "n 1 side side"]
    analysis: Annotated[Tensor, "n 1 side side"]
    thresholds: Annotated[Tensor, "K n 1 1"]

    @property
    def kind(self) -> Kind:
        return Kind.STEP_INDEXED

    def start(self) -> Annotated[Tensor, "B n rows columns"]:
        return torch.zeros_like(F.conv2d(self.images, self.analysis))

    def step(self, state: Annotated[Tensor, "B n rows columns"], k: int) -> Annotated[Tensor, "B n rows columns"]:
        missing = self.images - F.conv_transpose2d(state, self.synthesis)
        return soft_threshold(state + F.conv2d(missing, self.analysis), self.thresholds[k])

    def residual(self, state: Tensor, following: Tensor) -> Annotated[Tensor, "B"]:
        return relative_move(state, following)


@networks.register("convolutional")
class ConvolutionalLISTA(CodingNetwork):
    r"""LISTA for whole images, with convolutions in the place of matrices; it returns the rebuilt image.

    .. math:: x_{k+1} = \mathrm{soft}_{\theta_k}\bigl(x_k + W \star (y - D * x_k)\bigr), \qquad \hat y = D * x_K

    There is a code for every place where a patch of the dictionary's size lies inside the image. Unlearned, with
    W = D / L, the layers are ISTA for convolutional sparse coding.

    Args:
        dictionary: [side * side, n], patches as columns: what the kernels D and W set out from.
        layers: number of layers K; they share D and W, and have a threshold each for every kernel.
        threshold: all thresholds to set out from, in units of the image, before division by L.

    Shapes: images [B, 1, height, width] to the same; ``solve(images).value`` are codes,
    [B, n, height - side + 1, width - side + 1].

    Raises:
        ValueError: as :class:`CodingNetwork`; when the columns are no square patches, the threshold is not above zero,
            or an image is smaller than a patch.

    Source: Sreter and Giryes 2018 (learned convolutional sparse coding).

    Example:
        >>> network = ConvolutionalLISTA(torch.nn.functional.normalize(torch.randn(9, 6), dim=0), layers=2)
        >>> network(torch.rand(1, 1, 8, 10)).shape, network.solve(torch.rand(1, 1, 8, 10)).value.shape
        (torch.Size([1, 1, 8, 10]), torch.Size([1, 6, 6, 8]))
    """

    def __init__(
        self, dictionary: Annotated[Tensor, "side*side n"], layers: int = 8, *, threshold: float = 0.1
    ) -> None:
        super().__init__(dictionary, layers)
        validate.positive("threshold", threshold)
        pixels, atoms = self.dictionary.shape
        self.side = math.isqrt(pixels)
        if self.side**2 != pixels:
            raise ValueError(f"dictionary must have square patches as columns, got columns of length {pixels}")
        kernels = self.dictionary.T.reshape(atoms, 1, self.side, self.side)
        bound = _largest_eigenvalue(kernels)
        self.synthesis = nn.Parameter(kernels.clone())
        self.analysis = nn.Parameter(kernels / bound)
        self.log_thresholds = nn.Parameter(kernels.new_full((layers, atoms, 1, 1), math.log(threshold / bound)))

    def layered(self) -> list[nn.Parameter]:
        return [self.log_thresholds]

    def bind(self, signals: Images) -> ConvolutionalSteps:
        signals = self.check_signals(signals)
        return ConvolutionalSteps(signals, self.synthesis, self.analysis, self.log_thresholds.exp())

    def forward(self, signals: Images, depth: int | None = None) -> Images:
        """Return the images rebuilt after ``depth`` layers, all of them when None.

        Raises:
            ValueError: when the images have the wrong shape or dtype, or there are not so many layers.
        """
        return F.conv_transpose2d(self.solve(signals, depth, trace=False).value, self.synthesis)

    @torch.no_grad()
    def course(self, signals: Images, depth: int | None = None) -> Annotated[Tensor, "S B 1 height width"]:
        """Return the images rebuilt before the first layer and after each, S = depth + 1 of them."""
        return torch.stack([F.conv_transpose2d(codes, self.synthesis) for codes in super().course(signals, depth)])

    def check_signals(self, signals: Tensor) -> Images:
        """Return the images if they fit the kernels, else raise ValueError."""
        validate.shape("images", signals, ("B", 1, "height", "width"))
        if min(signals.shape[2:]) < self.side:
            raise ValueError(f"images must be at least {self.side} pixels high and wide, got {list(signals.shape[2:])}")
        return self.check_dtype(signals)


@torch.no_grad()
def _largest_eigenvalue(kernels: Annotated[Tensor, "n 1 side side"]) -> float:
    """Return the largest eigenvalue of D'D: on an endless image, the maximum of the summed power spectrum."""
    spectrum = torch.fft.rfft2(kernels[:, 0], s=(64, 64))
    return spectrum.abs().square().sum(dim=0).max().item()
