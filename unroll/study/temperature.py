"""Temperature as a defence: the softmax of trained attention made flatter, against adversarial patches."""

from collections.abc import Iterable

import pandas as pd

from unroll.attention import Attention, SoftmaxAttention
from unroll.models import ImageModel
from unroll.study.data import Split
from unroll.study.rerun import judged, with_attentions

TEMPERATURES = (1.0, 1.25, 1.5, 2.0, 3.0, 5.0)


def with_temperature(model: ImageModel, temperature: float) -> ImageModel:
    """Return a copy of a network whose softmax attentions run at ``temperature``; the weights are shared.

    Raises:
        ValueError: when temperature is not above zero, or a layer is no softmax attention.

    Example:
        >>> from unroll import ViT
        >>> model = ViT("softmax", image_size=(8, 8), patch=4, dim=16, depth=1, heads=2)
        >>> with_temperature(model, 2.0).blocks[0].attention.temperature
        2.0
    """

    def tempered(layer: Attention) -> Attention:
        if not isinstance(layer, SoftmaxAttention):
            raise ValueError(f"model must attend by SoftmaxAttention to have a temperature, got {type(layer).__name__}")
        return layer.with_temperature(temperature)

    return with_attentions(model, tempered)


def under_temperatures(
    model: ImageModel,
    data: Split,
    temperatures: Iterable[float] = TEMPERATURES,
    conditions: Iterable[str] = ("adversarial patch",),
) -> pd.DataFrame:
    """Return accuracy (%) of a trained network at each temperature: one row a temperature, condition and severity.

    Attacks are made through the network at that very temperature: an attacker knows of the defence. Clean accuracy is
    that on all of ``data``, that under a dear attack on the first images of it.

    Args:
        model: a network with softmax attention.
        data: clean images and their labels.
        temperatures: what the logits of attention are divided by, each above zero; 1 is the network as trained.
        conditions: names of attacks and corruptions.

    Raises:
        ValueError: when a temperature is not above zero, a layer is no softmax attention, or a condition is unknown.

    Source: Gu, Tresp and Qin 2022 (Are Vision Transformers Robust to Patch Perturbations?).

    Example:
        >>> from unroll.study import Entry, Size, build, load
        >>> digits = load("digits")
        >>> network = build(Entry("softmax"), digits, Size(16, 1, 2))
        >>> table = under_temperatures(network, digits.test.first(8), (1.0, 2.0), ["fgsm"])
        >>> list(table.columns), len(table)
        (['temperature', 'condition', 'severity', 'accuracy'], 12)
    """
    return judged("temperature", {t: with_temperature(model, t) for t in temperatures}, data, conditions)
