"""The base of all attentions: what a layer promises (traits), what it hands on (carry), how it is called."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Annotated, Self

import torch
from torch import Tensor, nn

from unroll import validate
from unroll.described import Described
from unroll.registry import Registry
from unroll.remembering import Remembering
from unroll.solvers import to_plain

attentions: Registry[type["Attention"]] = Registry("attention")


@dataclass(frozen=True)
class Traits:
    """What an attention declares of itself, and what ``check_attention`` holds it to.

    Attributes:
        permutation_equivariant: permuting the tokens permutes the output.
        needs_grid: the constructor takes ``grid=(height, width)`` and tokens are its places, row by row.
        takes_grid: the constructor may be given a grid, and the layer is then one that needs it and takes no masks;
            without it tokens are a sequence.
        masks: ``mask`` is honoured; a masked token changes nothing and its output is zero.
        carries: reads and writes a field of :class:`Carry`.
        exact_gradient: the output is differentiable (away from kinks) and its gradient is exact.
        compilable: ``torch.compile(fullgraph=True)`` gives the same numbers.

    Example:
        >>> from unroll.attention import SoftmaxAttention, attentions
        >>> SoftmaxAttention.traits.masks, [name for name in attentions if attentions[name].traits.carries]
        (True, ['evolving'])
    """

    permutation_equivariant: bool = False
    needs_grid: bool = False
    takes_grid: bool = False
    masks: bool = False
    carries: bool = False
    exact_gradient: bool = False
    compilable: bool = False


@dataclass(frozen=True, eq=False)
class Carry(Described):
    """What one layer hands to the next beside its tokens. A layer writes its own field and passes the rest on.

    Attributes:
        logits: attention logits (evolving attention); under a mask the real tokens stand first.
        code: the solution of an iterative layer, in the coordinates of its problem (warm start).

    Example:
        >>> from unroll import create
        >>> layer, x = create("evolving", dim=64, heads=4), torch.randn(2, 9, 64)
        >>> y, carry = layer.attend(x)
        >>> carry
        Carry(logits=float32[2, 4, 9, 9])
    """

    logits: Annotated[Tensor, "B H N N"] | None = None
    code: Annotated[Tensor, "B H M D"] | None = None


class Attention(Remembering, nn.Module, ABC):
    """A layer that mixes tokens: [B, N, C] to [B, N, C].

    Args:
        dim: model width C.
        heads: number of heads H; each has width D = C / H.
        grid: (height, width) of the tokens, for layers that need one.

    Raises:
        ValueError: when dim or heads is not a whole number above zero, or dim is not divisible by heads.

    A subclass writes :meth:`attend` and :meth:`attention_map`, and says in ``traits`` what it promises.

    Example:
        >>> from unroll.attention import Attention, Traits
        >>> class Average(Attention):
        ...     traits = Traits(permutation_equivariant=True)
        ...     def attend(self, x, carry=None, mask=None):
        ...         return self.check_input(x, mask).mean(dim=1, keepdim=True).expand_as(x), carry
        ...     def attention_map(self, x, mask=None):
        ...         return x.new_full((len(x), self.heads, x.shape[1], x.shape[1]), 1 / x.shape[1])
        >>> Average(64, 4)(torch.randn(2, 9, 64)).shape
        torch.Size([2, 9, 64])
    """

    traits: Traits = Traits()  # of the class; a setting may weaken it on one instance

    def __init__(self, dim: int, heads: int, *, grid: tuple[int, int] | None = None) -> None:
        super().__init__()
        validate.count("dim", dim)
        validate.count("heads", heads)
        if dim % heads:
            raise ValueError(f"dim must be divisible by heads, got dim = {dim} and heads = {heads}")
        self.dim, self.heads, self.head_dim = dim, heads, dim // heads
        if self.traits.takes_grid and grid is not None:
            self.traits = replace(self.traits, needs_grid=True, masks=False)
        self.grid = _check_grid(grid) if self.traits.needs_grid else None

    def forward(self, x: Annotated[Tensor, "B N C"], mask: Annotated[Tensor, "B N"] | None = None) -> Tensor:
        """Return the mixed tokens, [B, N, C]; ``mask`` is True for real tokens.

        Raises:
            ValueError: when the shape of x or of the mask, or the mask's dtype, is not what the layer takes.
        """
        return self.attend(x, mask=mask)[0]

    @abstractmethod
    def attend(
        self,
        x: Annotated[Tensor, "B N C"],
        carry: Carry | None = None,
        mask: Annotated[Tensor, "B N"] | None = None,
    ) -> tuple[Tensor, Carry | None]:
        """Return the mixed tokens and what the next layer may take up: what a transformer block calls."""

    @abstractmethod
    def attention_map(
        self, x: Annotated[Tensor, "B N C"], mask: Annotated[Tensor, "B N"] | None = None
    ) -> Annotated[Tensor, "B H N N"]:
        """Return who hears whom: row i tells how output token i depends on each token's value.

        A layer that carries takes ``carry`` too, the third argument: what it was handed decides whom it hears.
        """

    def map_after(
        self,
        x: Annotated[Tensor, "B N C"],
        carry: Carry | None = None,
        mask: Annotated[Tensor, "B N"] | None = None,
    ) -> Annotated[Tensor, "B H N N"]:
        """Return the map with which :meth:`attend` mixes, given the same arguments."""
        return self.attention_map(x, mask, carry) if self.traits.carries else self.attention_map(x, mask)

    def at_depth(self, layer: int, depth: int) -> Self:
        """Return the layer, with the weights that one starts with as number ``layer``, from 0, of ``depth`` in a row.

        Models call it once, when they are built. To most attentions it makes no difference.
        """
        return self

    def check_input(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Return x with masked tokens put to zero, so that not even NaN gets through from padding.

        Raises:
            ValueError: naming the argument, when x or the mask does not fit this layer.
        """
        validate.shape("x", x, ("batch", "tokens", self.dim))
        weight = next(self.parameters(), x)
        if x.dtype != weight.dtype and not torch.is_autocast_enabled(x.device.type):
            raise ValueError(f"x must be {weight.dtype} like the weights, got {x.dtype}")
        if self.grid is not None and x.shape[1] != self.grid[0] * self.grid[1]:
            height, width = self.grid
            raise ValueError(
                f"x must have {height} x {width} = {height * width} tokens for this grid, got {x.shape[1]}"
            )
        if mask is None:
            return x
        if not self.traits.masks:
            reason = "its tokens are the places of a fixed grid" if self.grid else "its traits declare no masks"
            raise ValueError(f"{type(self).__name__} takes no mask: {reason}")
        if mask.dtype != torch.bool:
            raise ValueError(f"mask must be boolean (True = a real token), got {mask.dtype}")
        validate.shape("mask", mask, tuple(x.shape[:2]))
        return hide_tokens(x, mask)

    def split_heads(self, x: Annotated[Tensor, "B N C"]) -> Annotated[Tensor, "B H N D"]:
        """Give each head its contiguous group of channels."""
        return x.unflatten(-1, (self.heads, self.head_dim)).transpose(1, 2)

    def merge_heads(self, x: Annotated[Tensor, "B H N D"]) -> Annotated[Tensor, "B N C"]:
        """Put the heads' channels side by side again."""
        return x.transpose(1, 2).flatten(2)

    def to_dict(self) -> dict[str, object]:
        """Return the name and the constructor's arguments as plain values, without the weights.

        ``attention.from_dict`` makes such a layer again, and its weights come from the state dict.

        Raises:
            ValueError: when the class is not registered.
        """
        return {"name": attentions.name_of(type(self)), **to_plain(self.settings)}

    def extra_repr(self) -> str:
        return f"dim={self.dim}, heads={self.heads}" + (f", grid={self.grid}" if self.grid else "")


def hide_tokens(x: Tensor, mask: Annotated[Tensor, "B N"] | None, value: float = 0.0) -> Tensor:
    """Put ``value`` in the place of masked tokens; x is [B, N, C] or [B, H, N, D].

    Example:
        >>> hide_tokens(torch.ones(1, 3, 1), torch.tensor([[True, False, True]])).flatten()
        tensor([1., 0., 1.])
    """
    if mask is None:
        return x
    kept = mask[:, :, None] if x.ndim == 3 else mask[:, None, :, None]
    return x.masked_fill(~kept, value)


def _check_grid(grid: tuple[int, int] | None) -> tuple[int, int]:
    if grid is None or len(grid) != 2:
        raise ValueError(f"grid must be (height, width), got {grid!r}")
    height, width = grid
    return validate.count("grid height", height), validate.count("grid width", width)
