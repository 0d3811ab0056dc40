"""How well codes were recovered: error, and whether the right entries were found."""

from typing import Annotated

from torch import Tensor

from unroll import validate


def nmse(estimate: Annotated[Tensor, "... B p"], truth: Annotated[Tensor, "B p"]) -> Annotated[Tensor, "..."]:
    r"""Return the normalised mean squared error in dB, over all samples together.

    .. math:: 10 \log_{10} \frac{\sum |\hat x - x|^2}{\sum |x|^2}

    A sample may have several dimensions; the estimate may have more in front, such as one for layers.

    Raises:
        ValueError: when the shapes do not fit together.

    Example:
        >>> nmse(torch.tensor([[0.9, 0.0]]), torch.tensor([[1.0, 0.0]])).item()
        -20.0
    """
    validate.shape("estimate", estimate, (*estimate.shape[: estimate.ndim - truth.ndim], *truth.shape))
    missed = (estimate - truth).square().flatten(-truth.ndim).sum(-1)
    return 10 * (missed / truth.square().sum()).log10()


def support_scores(
    estimate: Annotated[Tensor, "... B n"], truth: Annotated[Tensor, "B n"], floor: float = 1e-3
) -> tuple[Annotated[Tensor, "..."], Annotated[Tensor, "..."]]:
    """Return precision and recall of the support, over all samples together.

    An entry counts as found when its magnitude is above ``floor`` (true codes have a standard deviation of 1), and as
    there when it is not zero.

    Example:
        >>> precision, recall = support_scores(torch.tensor([[1.0, 0.5, 0.0]]), torch.tensor([[1.0, 0.0, 0.0]]))
        >>> precision.item(), recall.item()
        (0.5, 1.0)
    """
    found, there = estimate.abs() > floor, truth != 0
    hits = (found & there).sum((-2, -1)).double()
    return hits / found.sum((-2, -1)).clamp_min(1), hits / there.sum().clamp_min(1)
