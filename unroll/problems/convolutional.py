"""Sparse reconstruction with convolutional templates, stepped in the Fourier domain."""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from unroll import validate
from unroll.contracts import Kind, Problem
from unroll.problems.penalty import Penalty


def filtered(
    images: Annotated[Tensor, "... Y X"], spectrum: Annotated[Tensor, "... Y W"]
) -> Annotated[Tensor, "... Y X"]:
    """Multiply the half spectrum of real images by another: a circular convolution over the grid.

    bfloat16 and float16 are transformed in float32.

    Example:
        >>> images = torch.randn(2, 3, 4, 6)
        >>> torch.allclose(filtered(images, torch.ones(4, 4)), images, atol=1e-6)
        True
    """
    return _images(_half(images) * spectrum, images)


def real_spectrum(spectrum: Annotated[Tensor, "... Y W"], width: int) -> Annotated[Tensor, "... Y W"]:
    """Project a half spectrum onto those of real images: its self-conjugate columns are made conjugate-symmetric.

    Example:
        >>> real_spectrum(torch.tensor([[1 + 1j, 2 + 2j, 3 + 3j]]), width=4)
        tensor([[1.+0.j, 2.+2.j, 3.+0.j]])
    """
    size = (spectrum.shape[-2], width)
    return torch.fft.rfft2(torch.fft.irfft2(spectrum, s=size, norm="ortho"), norm="ortho")


@dataclass(frozen=True, eq=False)
class ConvolutionalReconstruction(Problem):
    r"""Reconstruct each channel sparsely from o filters of its own, which may stand anywhere on the grid.

    .. math::
        (F z)_g = \sum_a \mathcal F^{-1}\bigl(\bar P_{ga}\, \mathcal F z_{ga}\bigr), \qquad
        c_{ga} = \mathcal F^{-1}(P_{ga}\, \mathcal F u_g), \qquad
        E(z) = \tfrac12 \langle z, \Gamma z \rangle - \langle c, z \rangle + \lambda\, p(z)

    with :math:`(\Gamma z)_{ga} = \mathcal F^{-1}(P_{ga} \sum_b \bar P_{gb} \mathcal F z_{gb})`. Where P is the spectrum
    of a real filter (:func:`real_spectrum`) Gamma = F'F and E is :math:`\tfrac12 |u - F z|^2 + \lambda p(z)` less a
    constant. For a free P, as released, analysis after synthesis is not Gamma on the self-conjugate columns; the steps
    descend the E above all the same. Gamma has rank one at each frequency, so it is never formed.

    Args:
        spectrum: P, complex half spectrum of the filters, [G, o, Y, X // 2 + 1].
        correlation: c, [B, G, o, Y, X].
        penalty: p and its weight lambda.
        lipschitz: L of each channel, [G]; the largest eigenvalue :math:`\max_{kl} \sum_a |P_{ga}|^2` when None.
        from_correlation: set out from ``prox(c)``, as the release does, in the place of zero.

    Raises:
        ValueError: when the shapes do not fit together.

    Source: Shi et al. 2022 (VARS-S); bfshi/VARS, ``vars_block.py``.

    Example:
        >>> from unroll.problems import L1
        >>> images, spectrum = torch.randn(2, 3, 1, 4, 4), torch.ones(3, 1, 4, 3)
        >>> problem = ConvolutionalReconstruction(spectrum, filtered(images, spectrum), L1(0.1))
        >>> torch.allclose(problem.step(problem.start(), 0), torch.nn.functional.softshrink(images, 0.1), atol=1e-6)
        True
    """

    spectrum: Annotated[Tensor, "G o Y W"]
    correlation: Annotated[Tensor, "B G o Y X"]
    penalty: Penalty
    lipschitz: Annotated[Tensor, "G"] | None = None
    from_correlation: bool = False

    def __post_init__(self) -> None:
        validate.shape("correlation", self.correlation, ("batch", "groups", "filters", "height", "width"))
        _, groups, filters, height, width = self.correlation.shape
        validate.shape("spectrum", self.spectrum, (groups, filters, height, width // 2 + 1))
        if self.lipschitz is None:
            bound = self.spectrum.abs().square().sum(1).amax((-2, -1))
            object.__setattr__(self, "lipschitz", bound.to(self.correlation.dtype))
        validate.shape("lipschitz", self.lipschitz, (groups,))

    @property
    def kind(self) -> Kind:
        return Kind.PROXIMAL if self.penalty.proximal else Kind.GENERAL

    def start(self) -> Tensor:
        if self.from_correlation:
            return self.penalty.prox(self.correlation, 1.0)
        return torch.zeros_like(self.correlation)

    def step(self, state: Tensor, k: int) -> Tensor:
        rate = self._rate
        return self.penalty.prox(state - (self._gram(state) - self.correlation) * rate, rate)

    def energy(self, code: Tensor) -> Annotated[Tensor, "B"] | None:
        if self.kind is not Kind.PROXIMAL:
            return None
        return (code * (self._gram(code) / 2 - self.correlation)).flatten(1).sum(1) + self.penalty.value(code)

    def residual(self, state: Tensor, following: Tensor) -> Annotated[Tensor, "B"]:
        r"""Return :math:`L\,|\mathrm{step}(z) - z| / |c|` of each sample: zero exactly at a fixed point."""
        moved = ((following - state) / self._rate).flatten(1).norm(dim=1)
        return moved / self.correlation.flatten(1).norm(dim=1).clamp_min(torch.finfo(state.dtype).tiny)

    def synthesis(self, code: Annotated[Tensor, "B G o Y X"]) -> Annotated[Tensor, "B G Y X"]:
        """Return F z: what the filters, placed and weighed by the code, add up to."""
        return _images((_half(code) * self.spectrum.conj()).sum(2), code)

    @property
    def _rate(self) -> Tensor:
        return torch.where(self.lipschitz == 0, 1, self.lipschitz).reciprocal()[:, None, None, None]

    def _gram(self, code: Tensor) -> Tensor:
        heard = (_half(code) * self.spectrum.conj()).sum(2, keepdim=True)
        return _images(heard * self.spectrum, code)


def _half(images: Tensor) -> Tensor:
    wide = images.to(torch.promote_types(images.dtype, torch.float32))
    return torch.fft.rfft2(wide, norm="ortho")


def _images(spectrum: Tensor, like: Tensor) -> Tensor:
    return torch.fft.irfft2(spectrum, s=tuple(like.shape[-2:]), norm="ortho").to(like.dtype)
