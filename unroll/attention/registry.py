"""Attentions by name."""

import inspect
from collections.abc import Callable, Mapping

from unroll import validate
from unroll.attention.base import Attention, attentions
from unroll.solvers import from_plain


def register(name: str) -> Callable[[type[Attention]], type[Attention]]:
    """Return a class decorator that gives an attention its name.

    Raises:
        ValueError: by the decorator, when another class already has that name.

    Example:
        >>> from unroll.attention import SoftmaxAttention
        >>> @register("sharp")
        ... class SharpAttention(SoftmaxAttention):
        ...     def __init__(self, dim, heads):
        ...         super().__init__(dim, heads, temperature=0.5)
        >>> create("sharp", dim=64, heads=4).temperature
        0.5
    """
    return attentions.register(name)


def names() -> list[str]:
    """Return the names of all attentions.

    Example:
        >>> {"softmax", "vars-d", "peripheral"} <= set(names())
        True
    """
    return attentions.names()


def create(name: str, *, dim: int, heads: int, grid: tuple[int, int] | None = None, **options: object) -> Attention:
    """Make the attention called ``name``.

    Args:
        name: one of :func:`names`.
        dim: model width C.
        heads: number of heads.
        grid: (height, width) of the tokens; layers that need none ignore it, so that one call serves all.
        options: the further keyword arguments of that attention's constructor.

    Raises:
        ValueError: on an unknown name or option (the nearest is suggested), or a value that the layer refuses.

    Example:
        >>> create("softmax", dim=64, heads=4)
        SoftmaxAttention(
          dim=64, heads=4
          (qkv): Linear(in_features=64, out_features=192, bias=True)
          (output): Linear(in_features=64, out_features=64, bias=True)
        )
    """
    layer = attentions[name]
    if layer.traits.needs_grid or (layer.traits.takes_grid and grid is not None):
        options["grid"] = grid
    taken = list(inspect.signature(layer).parameters)[2:]
    for option in options:
        validate.choice(f"option of {name}", option, taken)
    return layer(dim, heads, **options)


def from_dict(settings: Mapping[str, object]) -> Attention:
    """Make a layer as :meth:`Attention.to_dict` described it, with fresh weights.

    Raises:
        ValueError: on a name or an option that is not known.

    Example:
        >>> layer = create("vars-d", dim=64, heads=4, weight=0.2)
        >>> layer.to_dict()
        {'name': 'vars-d', 'dim': 64, 'heads': 4, 'weight': 0.2}
        >>> from_dict(layer.to_dict()).load_state_dict(layer.state_dict())
        <All keys matched successfully>
    """
    try:
        return create(**from_plain(settings))
    except TypeError as error:
        raise ValueError(f"settings {dict(settings)} do not describe an attention: {error}") from error
