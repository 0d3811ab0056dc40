"""What is to be recovered, and what is seen of it: sparse codes through a dictionary, in noise."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional as F

from unroll import validate
from unroll.described import Described

Pairs = tuple[Annotated[Tensor, "B p"], Annotated[Tensor, "B m"]]


class Sensing(Described, ABC):
    """A supply of pairs: what is to be recovered, and the signal that is seen of it."""

    dictionary: Annotated[Tensor, "m n"]

    @abstractmethod
    def draw(self, count: int, generator: torch.Generator) -> Pairs:
        """Return targets and signals to learn from."""

    @abstractmethod
    def held_out(self, count: int, generator: torch.Generator) -> Pairs:
        """Return targets and signals on which settings and weights are chosen."""

    @abstractmethod
    def fresh(self, count: int, generator: torch.Generator) -> Pairs:
        """Return targets and signals on which results are reported; nothing is chosen on them."""

    @abstractmethod
    def readout(self, codes: Annotated[Tensor, "... n"]) -> Annotated[Tensor, "... p"]:
        """Return what codes say of the target."""

    @abstractmethod
    def to_dict(self) -> dict[str, object]:
        """Return the settings, tensors aside, as plain values."""


@dataclass(frozen=True, eq=False)
class SparseCodes(Sensing):
    r"""Random sparse codes, which are themselves the target: compressed sensing.

    .. math:: y = A x + e, \qquad x_i \sim \mathrm{Bernoulli}(\rho)\,\mathcal N(0, 1), \qquad
        e \sim \mathcal N(0, \sigma^2), \quad \sigma = \mathrm{std}(A x)\,10^{-\mathrm{SNR}/20}

    Args:
        dictionary: A, [m, n].
        density: rho, the share of entries that are not zero, 0 to 1.
        snr: signal to noise ratio of each signal, in dB; None for no noise.

    Raises:
        ValueError: when the density is not between 0 and 1.

    Source: the setting of Chen et al. 2018 and their successors; noise as in the release of Behrens et al. 2021.

    Example:
        >>> codes, signals = SparseCodes(torch.eye(4)).draw(3, torch.Generator().manual_seed(0))
        >>> torch.equal(codes, signals)
        True
    """

    dictionary: Annotated[Tensor, "m n"]
    density: float = 0.1
    snr: float | None = None

    def __post_init__(self) -> None:
        validate.share("density", self.density)

    def draw(self, count: int, generator: torch.Generator) -> Pairs:
        validate.count("count", count)
        shape = (count, self.dictionary.shape[1])
        used = torch.rand(shape, generator=generator) < self.density
        codes = (torch.randn(shape, generator=generator) * used).to(self.dictionary)
        signals = codes @ self.dictionary.T
        if self.snr is not None:
            level = signals.std(dim=1, keepdim=True) * 10 ** (-self.snr / 20)
            signals = signals + level * torch.randn(signals.shape, generator=generator).to(signals)
        return codes, signals

    def held_out(self, count: int, generator: torch.Generator) -> Pairs:
        return self.draw(count, generator)

    def fresh(self, count: int, generator: torch.Generator) -> Pairs:
        return self.draw(count, generator)

    def readout(self, codes: Annotated[Tensor, "... n"]) -> Annotated[Tensor, "... n"]:
        return codes

    def to_dict(self) -> dict[str, object]:
        return {"density": self.density, "snr": self.snr}


def gaussian_dictionary(m: int, n: int, seed: int = 0) -> Annotated[Tensor, "m n"]:
    """Return a dictionary of Gaussian columns of length 1, float32.

    Example:
        >>> gaussian_dictionary(250, 500).norm(dim=0).max().item()
        1.0
    """
    validate.count("m", m)
    validate.count("n", n)
    return F.normalize(torch.randn(m, n, generator=torch.Generator().manual_seed(seed)), dim=0)
