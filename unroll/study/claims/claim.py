"""A claim: what is said, by whom, what was done about it here, and the numbers that decide it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from unroll import validate
from unroll.registry import Registry
from unroll.study.statistics import Finding, Interval, judge


class NotThereError(Exception):
    """A table, or a part of one, that a claim's evidence is read from does not exist yet."""


@dataclass(frozen=True)
class Estimate:
    """What came out.

    Attributes:
        value: the number.
        low: the lower end of its interval; see ``unroll.study.statistics.Paired.interval`` where ``of`` is seeds.
        high: the upper end.
        unit: of all three.
        n: over how many.
        of: what n counts: independent seeds, as a rule.
        effect: Hedges' g where the value is a mean paired difference; NaN elsewhere.

    Example:
        >>> Estimate(3.0, 2.0, 4.0, "points", n=5)
        Estimate(value=3.0, low=2.0, high=4.0, unit='points', n=5, of='seeds', effect=nan)
    """

    value: float
    low: float
    high: float
    unit: str
    n: int
    of: str = "seeds"
    effect: float = float("nan")


Evidence = Callable[[Path], Estimate]


@dataclass(frozen=True)
class Claim:
    """A claim that is held against numbers.

    Attributes:
        statement: the claim, in our words, as if it were true.
        source: who makes it.
        here: what was measured here; the estimate is of this.
        command: what makes the evidence anew.
        evidence: reads the estimate from a folder of results.
        direction: the claim is that the estimate is "more" or "less" ...
        threshold: ... than this, in the unit of the estimate.
        live: the evidence is computed on the spot, and looks at no folder.

    Raises:
        ValueError: on another direction.

    Example:
        >>> claim = Claim(
        ...     "Three is more than one.", "us", "counted", "python -m unroll claims",
        ...     lambda results: Estimate(3.0, 2.0, 4.0, "points", n=5), threshold=1.0,
        ... )
        >>> claim.judge(claim.evidence(Path("results"))).word
        'holds'
    """

    statement: str
    source: str
    here: str
    command: str
    evidence: Evidence
    direction: Literal["more", "less"] = "more"
    threshold: float = 0.0
    live: bool = False

    def __post_init__(self) -> None:
        validate.choice("direction", self.direction, ("more", "less"))

    def judge(self, estimate: Estimate) -> Finding:
        """Return what an estimate says of the claim."""
        interval = Interval(estimate.low, estimate.high)
        return judge(interval, estimate.n, threshold=self.threshold, direction=self.direction)


claims: Registry[Claim] = Registry("claim")
