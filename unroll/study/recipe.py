"""How a network is trained, as plain frozen settings."""

from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from unroll import validate
from unroll.study.augment import Augmentation, RandomAffine

# Fields that came later: left out of files where they are at their defaults, so that older files stay what they were.
_ADDED = ("precision", "accumulate", "ema")


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: AdamW, one cosine after a linear warm-up.

    Args:
        epochs: passes over the data.
        batch: images a step, over all processes and micro-batches together.
        learning_rate: peak step of AdamW.
        weight_decay: of AdamW, on matrices only.
        warmup: share of all steps that warm up, 0 to 1.
        augment: how images are changed; ``RandomAffine(0, 0, 0)`` leaves them alone.
        compile: train through ``torch.compile``: the same arithmetic up to round-off, in about half the time on a CPU
            after the best part of a minute's preparation; needs a C++ compiler.
        precision: "bfloat16" makes the matrix products of the forward pass and of its gradients in bfloat16, by
            autocast; weights, optimiser and loss stay in float32.
        accumulate: micro-batches a step, for batches that do not fit into memory: the same step up to round-off.
        ema: decay d of the moving average w' <- d w' + (1 - d) w of the weights after each step, 0 to below 1. When it
            is above 0, the average is what is judged on held-out data and what the network holds after training.

    Raises:
        ValueError: when a number is out of its range, a name unknown, or a micro-batch would hold no image.

    Example:
        >>> Recipe(epochs=100, batch=256, precision="bfloat16", accumulate=2, ema=0.999).ema
        0.999
    """

    epochs: int = 40
    batch: int = 64
    learning_rate: float = 4e-3
    weight_decay: float = 0.05
    warmup: float = 0.1
    augment: Augmentation = field(default_factory=RandomAffine)
    compile: bool = False
    precision: Literal["float32", "bfloat16"] = "float32"
    accumulate: int = 1
    ema: float = 0.0

    def __post_init__(self) -> None:
        validate.count("epochs", self.epochs)
        validate.count("batch", self.batch)
        validate.positive("learning_rate", self.learning_rate)
        validate.at_least("weight_decay", self.weight_decay, 0)
        validate.share("warmup", self.warmup)
        validate.choice("precision", self.precision, ("float32", "bfloat16"))
        validate.count("accumulate", self.accumulate)
        if self.accumulate > self.batch:
            raise ValueError(
                f"accumulate must not be above the batch of {self.batch}, got {self.accumulate}: "
                "a micro-batch holds at least one image"
            )
        if validate.share("ema", self.ema) == 1:
            raise ValueError("ema must be below 1, got 1: such an average would never move")

    def to_dict(self) -> dict[str, object]:
        """Return the recipe as plain values; later choices are left out where they are as in files that know none.

        Example:
            >>> sorted(Recipe(ema=0.99).to_dict().keys() - Recipe().to_dict().keys())
            ['ema']
        """
        return {
            name: value
            for name, value in asdict(self).items()
            if name not in _ADDED or value != getattr(type(self), name)
        }

    def decisive(self) -> "Recipe":
        """Return the recipe without the choices that change the trained weights by round-off only."""
        return replace(self, compile=False, accumulate=1)
