"""Calibration: is a network right as often as it believes to be?"""

import torch
from torch import nn

from unroll import validate
from unroll.study.data import Split
from unroll.study.training import predict


def calibration_error(model: nn.Module, data: Split, bins: int = 15) -> float:
    r"""Return the expected calibration error, 0 to 1: the gap between confidence and accuracy, averaged over bins.

    .. math:: \mathrm{ECE} = \sum_{b=1}^{B} \frac{|S_b|}{n}\, \bigl|\mathrm{acc}(S_b) - \mathrm{conf}(S_b)\bigr|

    The confidence of an image is the largest softmax probability; it lies in :math:`S_b` when
    :math:`(b - 1)/B < \mathrm{conf} \le b/B`.

    Args:
        model: images to logits; evaluated, not changed.
        data: images and their labels.
        bins: number of bins B, of equal width.

    Raises:
        ValueError: when bins is no whole number above zero.

    Source: Guo et al. 2017, eq. 3.

    Example:
        >>> from unroll.study import Entry, Size, build, load
        >>> digits = load("digits")
        >>> network = build(Entry("softmax"), digits, Size(16, 1, 2))
        >>> 0 <= calibration_error(network, digits.test) <= 1
        True
    """
    validate.count("bins", bins)
    logits = predict(model, data)
    confidence = logits.double().softmax(dim=-1).amax(dim=-1)
    # The answer is read off the logits, of which rounding may leave equal probabilities.
    surplus = (logits.argmax(dim=-1) == data.labels).double() - confidence
    edges = torch.linspace(0, 1, bins + 1, dtype=confidence.dtype)[1:-1]
    sums = torch.zeros(bins, dtype=surplus.dtype).index_add(0, torch.bucketize(confidence, edges), surplus)
    return (sums.abs().sum() / len(data)).item()
