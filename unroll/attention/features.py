"""Positive random features: how a token becomes a non-negative vector whose products form a kernel."""

import math
from typing import Annotated

import torch
from torch import Tensor, nn

from unroll import validate

_EPS = 1e-12  # the release's floor under a length


class RandomFeatures(nn.Module):
    r"""Positive random features of vectors on the unit sphere, for the kernel exp(u.w / T).

    .. math::
        \phi(u) = \frac{1}{\sqrt{M}} \exp\Bigl(\frac{\Omega^\top \hat u}{\sqrt T} - \frac{1}{2T}\Bigr),
        \quad \hat u = u / |u|, \qquad
        \mathbb{E}_\Omega\, \phi(u)^\top \phi(w) = e^{(\hat u^\top \hat w) / T}

    (a Gaussian g of variance s has E exp(g) = exp(s / 2), whence the constant). The projection is drawn once from a
    standard normal, one a head, and is kept in the state dict. At T = 1 these are the features of the VARS and
    Performer releases; smaller temperatures tell tokens apart more sharply.

    Args:
        heads: number of heads H.
        head_dim: width D of a head.
        count: number of features M.
        temperature: T > 0, dimensionless (cosines are).
        seed: of the projection; PyTorch's global generator when None.
        learned: whether the projection is trained; then the kernel is what comes out of it.
        sphere: put u on the unit sphere first; when False, its length counts: u is divided by D ** 1/4 and the constant
            follows it, so that the kernel is that of softmax attention, :math:`e^{u^\top w / (\sqrt D\, T)}`.

    Shapes: [B, H, N, D] to [B, H, N, M].

    Raises:
        ValueError: on a count or temperature that is not above zero.

    Source: Choromanski et al. 2021 (Performer), lemma 1; the unit sphere as in bfshi/VARS.

    Example:
        >>> RandomFeatures(heads=2, head_dim=4, count=8)(torch.randn(1, 2, 5, 4)).shape
        torch.Size([1, 2, 5, 8])
    """

    projection: Annotated[Tensor, "H D M"]

    def __init__(
        self,
        heads: int,
        head_dim: int,
        count: int,
        *,
        temperature: float = 1.0,
        seed: int | None = None,
        learned: bool = False,
        sphere: bool = True,
    ) -> None:
        super().__init__()
        self.count = validate.count("count (features)", count)
        self.temperature = validate.positive("temperature", temperature)
        generator = None if seed is None else torch.Generator().manual_seed(validate.count("seed", seed, low=0))
        self.sphere = sphere
        projection = torch.randn(heads, head_dim, count, generator=generator)
        if learned:
            self.projection = nn.Parameter(projection)
        else:
            self.register_buffer("projection", projection)

    def forward(self, u: Annotated[Tensor, "B H N D"]) -> Annotated[Tensor, "B H N M"]:
        # All that is subtracted is one number a token, and is taken off in place: few passes over [B, H, N, M].
        squared = u.square().sum(dim=-1, keepdim=True)
        scale = self.temperature**-0.5
        if self.sphere:
            u = u * squared.clamp_min(_EPS**2).rsqrt()
            constant = 0.5 / self.temperature
        else:
            scale *= u.shape[-1] ** -0.25
            constant = squared * (0.5 * scale**2)
        exponent = u @ (self.projection * scale)
        return exponent.sub_(constant + 0.5 * math.log(self.count)).exp_()

    def extra_repr(self) -> str:
        kind = "learned" if isinstance(self.projection, nn.Parameter) else "random"
        sphere = ", on the sphere" if self.sphere else ""
        return f"count={self.count}, temperature={self.temperature:g}, {kind} projection{sphere}"
