"""How evidence is read: numbers by seed out of tidy tables, and the difference of two attentions."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from unroll.study.claims.claim import Estimate, NotThereError
from unroll.study.statistics import paired


@dataclass(frozen=True)
class Difference:
    """By how much one attention has more of a measure than another, paired by seed.

    Levels (severities) and layers are averaged first.

    Attributes:
        folder: where the table of the comparison lies, in the folder of results.
        ours: label of the attention that the claim is about.
        theirs: label of its rival.
        measure: as the table calls it.
        unit: of the measure.
        condition: the one that counts; all of the measure's when None, such as every layer.
    """

    folder: str
    ours: str
    theirs: str
    measure: str = "accuracy"
    unit: str = "points"
    condition: str | None = None

    def __call__(self, results: Path) -> Estimate:
        table = read(results, f"{self.folder}/table.csv")
        ours, theirs = (by_seed(table, who, self.measure, self.condition) for who in (self.ours, self.theirs))
        return estimate(ours, theirs, self.unit)


@dataclass(frozen=True)
class Level:
    """How much of a measure an attention has; see :class:`Difference`. ``level`` picks one severity."""

    folder: str
    who: str
    measure: str
    unit: str
    condition: str | None = None
    level: int | None = None

    def __call__(self, results: Path) -> Estimate:
        table = read(results, f"{self.folder}/table.csv")
        return estimate(by_seed(table, self.who, self.measure, self.condition, self.level), 0.0, self.unit)


def read(results: Path, name: str) -> pd.DataFrame:
    """Return a table by its name in the folder of results.

    Raises:
        NotThereError: when it does not exist.
    """
    path = results / name
    if not path.is_file():
        raise NotThereError(f"{name} is not there")
    return pd.read_csv(path)


def by_seed(
    table: pd.DataFrame, who: str, measure: str, condition: str | None = None, level: int | None = None
) -> pd.Series:
    """Return the mean of a measure over all that the arguments leave open: one number a seed.

    Raises:
        NotThereError: when the table has none.
    """
    part = table[(table.attention == who) & (table.measure == measure)]
    where = "" if condition is None else f" under {condition!r}"
    if condition is not None:
        part = part[part.condition == condition]
    if level is not None:
        part, where = part[part.level == level], f"{where} at level {level}"
    if part.empty:
        raise NotThereError(f"the table has no {measure} of {who!r}{where}")
    return part.groupby("seed").value.mean()


def estimate(ours: pd.Series, theirs: pd.Series | float, unit: str) -> Estimate:
    """Return a mean over seeds as an estimate: of the paired difference to a rival, or above a number."""
    found = paired(ours, theirs)
    effect = found.effect if isinstance(theirs, pd.Series) else float("nan")
    return Estimate(found.mean, *found.interval, unit, found.seeds, effect=effect)
