"""Claims that the large study decides: common corruptions, attacks, patches, and the defence by temperature."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from unroll.study.claims.claim import Claim, Estimate, NotThereError, claims
from unroll.study.claims.evidence import Difference, by_seed, estimate, read
from unroll.study.corruption_error import mean_corruption_errors

_FOLDER = "laptop"
_SHI = "Shi et al. 2022 (VARS)"
_GU = "Gu, Tresp and Qin 2022 (patch perturbations)"
_STUDY = f"python -m unroll study --preset {_FOLDER}"
_SAME = "one small vision transformer on 5,000 digits, trained with each"


@dataclass(frozen=True)
class CorruptionError:
    """How much larger the mean corruption error of one attention is than that of another; softmax is the yardstick."""

    ours: str
    theirs: str

    def __call__(self, results: Path) -> Estimate:
        table = read(results, f"{_FOLDER}/table.csv")
        labels = [self.ours, self.theirs, "softmax"]
        for who in labels:
            by_seed(table, who, "accuracy", "clean")
        try:
            errors = mean_corruption_errors(table[table.attention.isin(labels)])
        except ValueError as error:
            raise NotThereError(str(error)) from error
        by_label = errors.pivot(index="seed", columns="attention", values="mCE (%)")
        return estimate(by_label[self.ours].dropna(), by_label[self.theirs].dropna(), "points of mCE")


@dataclass(frozen=True)
class Costs:
    """How much lower the accuracy of one attention is under one condition than under another."""

    who: str
    condition: str
    other: str

    def __call__(self, results: Path) -> Estimate:
        table = read(results, f"{_FOLDER}/table.csv")
        spoiled, spared = (by_seed(table, self.who, "accuracy", name) for name in (self.condition, self.other))
        return estimate(spared, spoiled, "points")


@dataclass(frozen=True)
class Tempered:
    """What a temperature above 1 gains under adversarial patches, over 1 itself.

    The temperature of a seed is the one that is best for the *other* seeds, so that none is judged by a choice made
    on it.
    """

    who: str = "softmax"
    condition: str = "adversarial patch"

    def __call__(self, results: Path) -> Estimate:
        table = read(results, f"{_FOLDER}/temperature.csv")
        part = table[(table.attention == self.who) & (table.condition == self.condition)]
        accuracies = part.pivot_table(index="seed", columns="temperature", values="accuracy")
        if 1 not in accuracies or accuracies.columns.max() <= 1 or len(accuracies) < 2:
            raise NotThereError(f"the table lacks temperature 1, one above, or a second seed of {self.who!r}")
        raised = accuracies.loc[:, accuracies.columns > 1]
        chosen = {seed: raised.loc[seed, raised.drop(index=seed).mean().idxmax()] for seed in raised.index}
        return estimate(pd.Series(chosen), accuracies[1], "points")


@dataclass(frozen=True)
class Masking:
    """How much more accuracy every other attack leaves a network than PGD with its own gradient does.

    The others are a single step, examples made on other networks or through another solver, and attacks without any
    gradient; the one that does the most harm counts. Of all networks the smallest margin counts, so that one is enough
    to fail.
    """

    def __call__(self, results: Path) -> Estimate:
        table = read(results, f"{_FOLDER}/masking.csv")
        white_box = (table.attack == "pgd") & (table.source == "itself")
        own, foreign = table[white_box], table[~white_box]
        if own.empty or foreign.empty:
            raise NotThereError("the table has no PGD by own gradients, or nothing beside it")
        place = ["attention", "seed", "epsilon"]
        margin = (foreign.groupby(place).accuracy.min() - own.set_index(place).accuracy).dropna()
        margins = margin.groupby(["attention", "seed"]).mean().unstack("attention")
        weakest = margins[margins.mean().idxmin()].dropna()
        return estimate(weakest, 0.0, "points")


@dataclass(frozen=True)
class Steps:
    """What the same weights gain by ``ours`` in the place of ``theirs``, two solvers, under one condition."""

    ours: str
    theirs: str
    who: str = "vars-d"
    condition: str = "gaussian noise"

    def __call__(self, results: Path) -> Estimate:
        table = read(results, f"{_FOLDER}/solvers.csv")
        part = table[(table.attention == self.who) & (table.condition == self.condition)]
        accuracies = part.pivot_table(index="seed", columns="solver", values="accuracy")
        for solver in (self.ours, self.theirs):
            if solver not in accuracies:
                raise NotThereError(f"the table has no {solver!r} of {self.who!r} under {self.condition!r}")
        return estimate(accuracies[self.ours], accuracies[self.theirs], "points")


def _both_dictionaries(alone: str, kind: str) -> None:
    claim = Claim(
        f"Static and dynamic templates together stand common corruptions better than {kind} ones alone.",
        _SHI,
        f"mean corruption error of vars-sd less that of {alone}; {_SAME}",
        _STUDY,
        CorruptionError("vars-sd", alone),
        direction="less",
    )
    claims.register(f"both-dictionaries-{kind}")(claim)


claims.register("vars-corruptions")(
    Claim(
        "Recurrent sparse reconstruction, as published, stands common corruptions better than self-attention.",
        _SHI,
        f"mean corruption error over fifteen corruptions less that of softmax (100); {_SAME}",
        _STUDY,
        CorruptionError("vars-d, published", "softmax"),
        direction="less",
    )
)
_both_dictionaries("vars-d", "dynamic")
_both_dictionaries("vars-s", "static")
claims.register("natural-patches")(
    Claim(
        "Attention stands naturally corrupted patches better than convolution does.",
        _GU,
        f"accuracy of softmax with corrupted patches less that of a convolution in its place; {_SAME}",
        _STUDY,
        Difference(_FOLDER, "softmax", "convolution", condition="natural patch"),
    )
)
claims.register("adversarial-patches")(
    Claim(
        "Attention stands adversarial patches worse than convolution does.",
        _GU,
        f"accuracy of softmax under adversarial patches less that of a convolution in its place; {_SAME}",
        _STUDY,
        Difference(_FOLDER, "softmax", "convolution", condition="adversarial patch"),
        direction="less",
    )
)
claims.register("temperature")(
    Claim(
        "A temperature above 1 in the softmax defends against adversarial patches.",
        _GU,
        "accuracy under adversarial patches at the temperature that is best for the other seeds, less that at 1",
        _STUDY,
        Tempered(),
    )
)
claims.register("more-steps")(
    Claim(
        "More thinking helps under noise: the same weights gain by more steps of their solver.",
        "our own question",
        "accuracy of vars-d, trained with five steps, under Gaussian noise with ten less that with five",
        _STUDY,
        Steps("10 plain steps", "5 plain steps"),
    )
)
claims.register("salient-patches")(
    Claim(
        "Losing salient patches costs more than losing others.",
        "asked by Naseer et al. 2021 (intriguing properties of vision transformers)",
        "accuracy of softmax without the patches of least contrast less that without those of most",
        _STUDY,
        Costs("softmax", "salient occlusion", "non-salient occlusion"),
    )
)
claims.register("gradients-not-masked")(
    Claim(
        "Gradients are not masked: no other attack that was tried does more harm than PGD by a network's own gradient.",
        "Athalye, Carlini and Wagner 2018 (obfuscated gradients), as a check",
        "accuracy that the worst other attack leaves less that under PGD; the network with the smallest margin",
        _STUDY,
        Masking(),
    )
)
