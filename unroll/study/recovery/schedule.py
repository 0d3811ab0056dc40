"""How an unrolled network is trained: all at once, or layer by layer."""

from dataclasses import dataclass
from typing import Literal

from unroll import validate


@dataclass(frozen=True)
class Stage:
    """A stretch of training with one optimiser.

    Args:
        depth: layers that are trained, from the first on; the loss looks at the last of them.
        rate: step of Adam at its peak.
        iterations: batches at most.
        newest: train the numbers of the last of these layers only.
        patience: stop after so many batches without progress on validation signals; None for never.
        cosine: let the rate fall to zero over the iterations.
    """

    depth: int
    rate: float
    iterations: int
    newest: bool = False
    patience: int | None = None
    cosine: bool = False


@dataclass(frozen=True)
class Schedule:
    """All stages of a training.

    Args:
        kind: "end-to-end", one stage over all layers whose rate falls along a cosine; or "stage-wise", three stages for
            each further layer: its own numbers, then all at a fifth of the rate, then all at a fiftieth.
        rate: step of Adam, for steps, thresholds and other single numbers.
        matrix_share: of that rate, for matrices, whose entries are small.
        iterations: batches of a stage at most.
        batch: signals of a batch, drawn anew for each.
        patience: of a stage-wise stage, batches without progress after which it ends.

    Raises:
        ValueError: on an unknown kind or a number out of range.

    Source: stages and rates as in the release of Chen et al. 2018 (there 5e-4, 64 signals, patience 2,000 to 5,000).
    """

    kind: Literal["end-to-end", "stage-wise"] = "end-to-end"
    rate: float = 0.02
    matrix_share: float = 0.05
    iterations: int = 1000
    batch: int = 128
    patience: int = 250

    def __post_init__(self) -> None:
        validate.choice("kind", self.kind, ("end-to-end", "stage-wise"))
        validate.positive("rate", self.rate)
        validate.share("matrix_share", self.matrix_share)
        for name in ("iterations", "batch", "patience"):
            validate.count(name, getattr(self, name))

    def stages(self, layers: int) -> tuple[Stage, ...]:
        """Return the stages for a network of so many layers."""
        if self.kind == "end-to-end":
            return (Stage(layers, self.rate, self.iterations, cosine=True),)
        return tuple(
            Stage(depth, self.rate * factor, self.iterations, newest=factor == 1, patience=self.patience)
            for depth in range(1, layers + 1)
            for factor in (1, 0.2, 0.02)
        )
