"""Claims about where tokens are: peripheral attention, learned positions, missing and shuffled patches."""

from dataclasses import dataclass
from pathlib import Path

from unroll.study.claims.claim import Claim, Estimate, claims
from unroll.study.claims.evidence import Difference, Level, estimate, read

_MIN = "Min et al. 2022 (peripheral vision transformer)"
_NASEER = "Naseer et al. 2021 (intriguing properties of vision transformers)"
_STUDY = "python -m unroll study --preset positions --networks"
_PERIPHERY = "python -m unroll periphery --preset positions --out results/positions/periphery.csv"


@dataclass(frozen=True)
class Deeper:
    """How much more of a measure the heads of the last layer have than those of the first, mean over heads."""

    measure: str
    unit: str

    def __call__(self, results: Path) -> Estimate:
        table = read(results, "positions/periphery.csv")
        layers = table.pivot_table(index="seed", columns="layer", values=self.measure)
        return estimate(layers[layers.columns.max()], layers[layers.columns.min()], self.unit)


claims.register("local-to-global")(
    Claim(
        "Peripheral attention looks near in early layers and far in late ones.",
        _MIN,
        "nonlocality of the position maps (mean of distance times weight), last layer less first, mean over heads",
        _PERIPHERY,
        Deeper("nonlocality", "half sides"),
    )
)
claims.register("heard-local-to-global")(
    Claim(
        "What peripheral attention hears in the end, position and content together, is near in early layers and far in "
        "late ones.",
        f"follows from {_MIN}",
        "mean distance attended in the whole map, last layer less first, mean over heads",
        _PERIPHERY,
        Deeper("attended distance", "half sides"),
    )
)
claims.register("peripheral-clean")(
    Claim(
        "Peripheral attention makes a better vision transformer than positions that are learned and added.",
        _MIN,
        "accuracy on clean digits less that of softmax with learned positions",
        _STUDY,
        Difference("positions", "peripheral", "softmax", condition="clean"),
    )
)
claims.register("peripheral-shift")(
    Claim(
        "What knows of distances alone stands shifted images better than positions that are learned and added.",
        "our own question",
        "accuracy of peripheral attention, shifted by 1 to 5 pixels, less that of softmax with learned positions",
        _STUDY,
        Difference("positions", "peripheral", "softmax", condition="shift"),
    )
)
claims.register("occlusion")(
    Claim(
        "A vision transformer keeps 60 % accuracy with 80 % of its patches blanked.",
        f"{_NASEER}, of ImageNet",
        "accuracy of softmax attention on digits, patches blanked at random; never trained for",
        "python -m unroll study --preset vars --networks",
        Level("vars", "softmax", "accuracy", "%", "token occlusion", 5),
        threshold=60.0,
    )
)
