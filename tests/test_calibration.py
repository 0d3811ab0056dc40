"""Calibration: the gap between what a network believes and how often it is right."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from unroll.study import accuracy, calibration_error, load

DATA = load("digits").test.first(24)


class Fixed(nn.Module):
    """Logits that are what they are."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.logits[: len(images)]


def test_calibration_error_by_hand():
    """Three of five bins are filled, one by two images."""
    confidence = torch.tensor([0.9, 0.75, 0.55, 0.95])
    model = Fixed(torch.stack([confidence, 1 - confidence], dim=-1).log())
    data = replace(DATA.first(4), labels=torch.tensor([0, 1, 0, 0]))
    # (0.4, 0.6]: 0.55, right.  (0.6, 0.8]: 0.75, wrong.  (0.8, 1]: 0.9 and 0.95, right.
    assert calibration_error(model, data, bins=5) == pytest.approx((0.45 + 0.75 + 0.15) / 4, abs=1e-6)
    assert calibration_error(model, data, bins=1) == pytest.approx(abs(0.75 - 3.15 / 4), abs=1e-6)
    edge = replace(DATA.first(2), labels=torch.tensor([0, 1]))
    on_it = Fixed(torch.tensor([[0.5, 0.5], [0.8, 0.2]]).log())
    assert calibration_error(on_it, edge, bins=2) == pytest.approx((0.5 + 0.8) / 2, abs=1e-6)  # 0.5 is in (0, 0.5]
    with pytest.raises(ValueError, match=r"bins must be a whole number >= 1, got 0"):
        calibration_error(model, data, bins=0)


@given(
    st.lists(st.tuples(st.lists(st.floats(-9, 9), min_size=3, max_size=3), st.integers(0, 2)), min_size=1, max_size=24),
    st.integers(1, 20),
)
def test_calibration_error_is_a_share(rows, bins):
    logits, labels = zip(*rows, strict=True)
    data = replace(DATA.first(len(rows)), labels=torch.tensor(labels))
    model = Fixed(torch.tensor(logits))
    error = calibration_error(model, data, bins)
    assert -1e-9 <= error <= 1 + 1e-9
    mean = model.logits.detach().double().softmax(-1).amax(-1).mean().item()
    assert error >= abs(accuracy(model, data) / 100 - mean) - 1e-6  # bins can only add to the gap of all images
