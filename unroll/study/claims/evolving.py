"""Claims about attention maps that evolve from layer to layer."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from unroll.study.claims.claim import Claim, Estimate, NotThereError, claims
from unroll.study.claims.evidence import Difference, by_seed, estimate, read

_WANG = "Wang et al. 2022 (evolving attention)"
_STUDY = "python -m unroll study --preset evolving --networks"
_SERIES = "python -m unroll timeseries"
_ALIKE = "similarity to the layer before"


@dataclass(frozen=True)
class SeriesGain:
    """How much better a model of time series is than the best of its rivals on each set, in per cent of their score.

    Scores are accuracies, or errors, of which less is better; the rival of a set is the one with the best mean over
    seeds. Paired by seed, after the mean over the sets.
    """

    ours: str
    rivals: tuple[str, ...]

    def __call__(self, results: Path) -> Estimate:
        table = read(results, "timeseries/table.csv")
        for who in (self.ours, *self.rivals):
            if who not in set(table["model"]):
                raise NotThereError(f"the table has no model {who!r}")
        gains = {}
        for name, part in table.groupby("set"):
            by_model = part.pivot(index="seed", columns="model", values="value")
            sign = 1 if part.measure.iloc[0] == "accuracy" else -1
            best = (sign * by_model[list(self.rivals)].mean()).idxmax()
            gains[name] = 100 * sign * (by_model[self.ours] - by_model[best]) / by_model[best]
        means = pd.DataFrame(gains).dropna().mean(axis=1)  # a seed counts where all sets have it
        return estimate(means, 0.0, "%")


@dataclass(frozen=True)
class SeriesLikeness:
    """How much more alike the maps of neighbouring layers are in one model of time series than in another."""

    ours: str
    theirs: str

    def __call__(self, results: Path) -> Estimate:
        maps = read(results, "timeseries/maps.csv").rename(columns={"model": "attention"})
        ours, theirs = (by_seed(maps, who, _ALIKE) for who in (self.ours, self.theirs))
        return estimate(ours, theirs, "correlation")


claims.register("evolving-clean")(
    Claim(
        "Evolving attention maps make a better vision transformer.",
        _WANG,
        "accuracy on clean digits less that of softmax; one small vision transformer, trained with each",
        _STUDY,
        Difference("evolving", "evolving", "softmax", condition="clean"),
    )
)
claims.register("evolving-convolution")(
    Claim(
        "Where maps evolve it is the convolution over them that helps, not their being handed on.",
        _WANG,
        "accuracy on clean digits with the convolution less that without it, neither with relative positions",
        _STUDY,
        Difference(
            "evolving",
            "evolving, without relative positions",
            "evolving, residual logits alone",
            condition="clean",
        ),
    )
)
claims.register("evolving-maps")(
    Claim(
        "Maps of neighbouring layers are more alike where they evolve.",
        _WANG,
        "correlation of a layer's map with that of the layer before, mean over layers, less that of softmax; digits",
        _STUDY,
        Difference("evolving", "evolving", "softmax", _ALIKE, "correlation"),
    )
)
claims.register("series-maps")(
    Claim(
        "Maps of neighbouring layers are more alike where they evolve: on time series too.",
        _WANG,
        "the same in a transformer for time series, mean over ten sets and all layers",
        _SERIES,
        SeriesLikeness("transformer, evolving", "transformer"),
    )
)
claims.register("series-gain")(
    Claim(
        "Evolving attention beside dilated convolutions is better than a transformer on time series.",
        _WANG,
        "EA-DC (padding masked, table learned) against a plain transformer, mean over ten sets",
        _SERIES,
        SeriesGain("EA-DC", ("transformer",)),
    )
)
claims.register("series-best")(
    Claim(
        "On time series evolving attention is 17 % better than the best of the others.",
        _WANG,
        "EA-DC against the better of a plain transformer and the same dilated convolutions alone, mean over ten sets",
        _SERIES,
        SeriesGain("EA-DC", ("transformer", "dilated convolution")),
        threshold=17.0,
    )
)
claims.register("series-convolution")(
    Claim(
        "Where maps evolve it is the convolution over them that helps: on time series too.",
        _WANG,
        "EA-DC against the same network whose logits are handed on and mixed only, mean over ten sets",
        _SERIES,
        SeriesGain("EA-DC", ("residual logits",)),
    )
)
