"""The one multi-layer perceptron of the library."""

from torch import nn

from unroll import validate


class Mlp(nn.Sequential):
    """Two linear maps with a GELU between them: [..., dim] to [..., out].

    Args:
        dim: input width.
        hidden: width between the two maps.
        out: output width; ``dim`` when None.
        dropout: share of the hidden numbers that is dropped in training.

    Raises:
        ValueError: when a width is not a whole number above zero, or dropout not between 0 and 1.

    Example:
        >>> Mlp(64, 128)(torch.randn(2, 49, 64)).shape
        torch.Size([2, 49, 64])
    """

    def __init__(self, dim: int, hidden: int, out: int | None = None, *, dropout: float = 0.0) -> None:
        validate.count("hidden", hidden)
        dropped = [nn.Dropout(dropout)] if validate.share("dropout", dropout) else []
        super().__init__(nn.Linear(dim, hidden), nn.GELU(), *dropped, nn.Linear(hidden, dim if out is None else out))
