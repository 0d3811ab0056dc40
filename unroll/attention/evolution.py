"""What becomes of attention logits on their way through the layers: they are mixed, and convolved as an image."""

from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from unroll import validate
from unroll.attention.residual_convolution import residual_convolution

SLOPES = {"leaky-relu": 0.01, "relu": 0.0}


class Evolution(nn.Module):
    r"""Mix a layer's own logits with those of the layer before, and add a convolution of the mixture.

    .. math::
        M = (1 - \beta) S + \beta A_{\mathrm{prev}}, \qquad
        A = \alpha\, \mathrm{act}(\mathrm{conv}_{3 \times 3}(M)) + (1 - \alpha) M

    The N x N map is the image and the heads are its channels. Where nothing came before, A_prev is zero: own logits
    weigh 1 - beta in every layer, and no weight is idle. A layer with ``beta=0, convolution=False`` is the first of a
    released chain, A = S.

    Pairs that do not exist, since a token is masked or the key lies in the query's future, are zero before the
    convolution, so that it meets there what it meets beyond the map's border. With ``causal`` its window also moves up
    by a row: entry (i, j) reads rows i - 2 to i, the queries that came before.

    Args:
        heads: number of heads H.
        alpha: share of the convolution, 0 to 1.
        beta: share of the layer before, 0 to 1.
        learned: train alpha and beta from where they are set, which is then strictly between 0 and 1.
        activation: "leaky-relu" (slope 0.01) or "relu".
        convolution: False leaves A = M, residual logits; alpha has no effect then.
        causal: let no entry depend on what comes after its query.

    Shapes: maps [B, H, N, N] to the same.

    Raises:
        ValueError: on bad settings at construction.

    Source: Wang et al. 2021 (Evolving Attention with Residual Convolutions); pkuyym/EvolvingAttention.

    Example:
        >>> Evolution(4)(torch.randn(2, 4, 9, 9), torch.randn(2, 4, 9, 9)).shape
        torch.Size([2, 4, 9, 9])
    """

    def __init__(
        self,
        heads: int,
        *,
        alpha: float = 0.3,
        beta: float = 0.7,
        learned: bool = False,
        activation: Literal["leaky-relu", "relu"] = "leaky-relu",
        convolution: bool = True,
        causal: bool = False,
    ) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(validate.count("heads", heads), heads, kernel_size=3) if convolution else None
        self.slope = SLOPES[validate.choice("activation", activation, SLOPES)]
        self.causal = causal
        self.alpha = _share("alpha", alpha, learned and convolution)
        self.beta = _share("beta", beta, learned)

    def shares(self) -> tuple[float | Tensor, float | Tensor]:
        """Return alpha and beta as they are now."""
        return _value(self.alpha), _value(self.beta)

    @property
    def reads(self) -> bool:
        """Whether the layer before counts at all."""
        return not isinstance(self.beta, float) or self.beta > 0

    def query_scale(self, width: int) -> float | Tensor:
        """Return what queries of this width are multiplied by: the scale of softmax attention, times 1 - beta."""
        return width**-0.5 * (1 - self.shares()[1])

    def pairs(self, tokens: int, mask: Annotated[Tensor, "B N"] | None, device: torch.device) -> Tensor | None:
        """Return which pairs of query and key exist, [N, N] or [B, 1, N, N]; None when all do."""
        real = None if mask is None else (mask[:, :, None] & mask[:, None, :]).unsqueeze(1)
        if not self.causal:
            return real
        past = torch.ones(tokens, tokens, dtype=torch.bool, device=device).tril()
        return past if real is None else past & real

    def forward(
        self,
        own: Annotated[Tensor, "B H N N"],
        previous: Annotated[Tensor, "B H N N"] | None = None,
        pairs: Tensor | None = None,
    ) -> Annotated[Tensor, "B H N N"]:
        """Return A, zero for pairs that do not exist. ``own`` is (1 - beta) S, and is overwritten.

        Queries times :meth:`query_scale` give such logits, and are much smaller to scale than their product.
        """
        mixed = self.mix(own, previous, pairs)
        if self.convolution is None:
            return mixed
        # Both activations let a factor >= 0 pass, so alpha is a matter of the small kernel, not of the large map.
        alpha, _ = self.shares()
        alpha = mixed.new_full((), alpha) if isinstance(alpha, float) else alpha.to(mixed.dtype)
        weight, bias = (alpha * part.to(mixed.dtype) for part in (self.convolution.weight, self.convolution.bias))
        evolved = residual_convolution(mixed, weight, bias, 1 - alpha, slope=self.slope, causal=self.causal)
        return evolved if pairs is None else evolved.masked_fill_(~pairs, 0)

    def mix(self, own: Tensor, previous: Tensor | None, pairs: Tensor | None) -> Tensor:
        """Return M; ``own`` is (1 - beta) S, and is overwritten."""
        _, beta = self.shares()
        if previous is not None and self.reads:
            own = own.add_(previous, alpha=beta) if isinstance(beta, float) else own.add_(beta * previous)
        return own if pairs is None else own.masked_fill_(~pairs, 0)

    def weights(self, evolved: Tensor, pairs: Tensor | None = None) -> Annotated[Tensor, "B H N N"]:
        """Return the softmax over the keys that exist."""
        if pairs is not None:
            # The lowest number, not -inf: a query without any key then gets numbers, which nobody reads, and no NaN.
            evolved = evolved.masked_fill(~pairs, torch.finfo(evolved.dtype).min)
        return evolved.softmax(dim=-1)

    def extra_repr(self) -> str:
        fixed = {name: share for name in ("alpha", "beta") if isinstance(share := getattr(self, name), float)}
        shown = [f"{name}={share:g}" for name, share in fixed.items() if name == "beta" or self.convolution is not None]
        return ", ".join([*shown, f"causal={self.causal}"])


def _share(name: str, value: float, learned: bool) -> float | nn.Parameter:
    """Return a share between 0 and 1, or the parameter whose sigmoid it is."""
    value = float(validate.share(name, value))
    if not learned:
        return value
    if not 0 < value < 1:
        raise ValueError(f"{name} must lie strictly between 0 and 1 to be learned, got {value}")
    return nn.Parameter(torch.logit(torch.tensor(value)))


def _value(share: float | nn.Parameter) -> float | Tensor:
    return share if isinstance(share, float) else share.sigmoid()
