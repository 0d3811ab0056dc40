"""Claims about networks that were algorithms: unrolled solvers against their parents, at equal steps."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from unroll.study.claims.claim import Claim, Estimate, NotThereError, claims
from unroll.study.claims.evidence import read
from unroll.study.recovery.evaluation import TEST

_PARENTS = ("ISTA", "FISTA")


@dataclass(frozen=True)
class Decibels:
    """How much larger the error of a method is than that of the best of its rivals, in dB, after the same steps.

    Both were judged on the same signals, but what was kept is an interval for each: that of the difference reaches
    from end to end of the two, which is wider than a paired one would be. Another training is not in it.
    """

    case: str
    ours: str
    rivals: tuple[str, ...] = _PARENTS

    def __call__(self, results: Path) -> Estimate:
        table = read(results, f"recovery/{self.case.lower().replace(' ', '-')}.csv")
        ours, *rivals = (_last(table, method) for method in (self.ours, *self.rivals))
        theirs = min(rivals, key=lambda rival: rival.error)
        if ours.steps != theirs.steps:
            raise ValueError(f"methods must be judged after the same steps, got {ours.steps} and {theirs.steps}")
        low, high = ours.low - theirs.high, ours.high - theirs.low
        return Estimate(ours.error - theirs.error, low, high, "dB", TEST, "signals, one training")


@dataclass(frozen=True)
class _Last:
    steps: int
    error: float
    low: float
    high: float


def _last(table: pd.DataFrame, method: str) -> _Last:
    part = table[(table.method == method) & (table.measure == "nmse")]
    layers = part[part.condition == "layer"].set_index("level").value
    if layers.empty:
        raise NotThereError(f"the table has no method {method!r}")
    low, high = part[part.condition == "interval"].sort_values("level").value
    return _Last(int(layers.index.max()), layers[layers.index.max()], low, high)


def _claim(name: str, statement: str, source: str, here: str, evidence: Decibels) -> None:
    command = f'python -m unroll recover "{evidence.case}"'
    claims.register(name)(Claim(statement, source, here, command, evidence, direction="less"))


_ERROR = "error after sixteen steps less that of the better of ISTA and FISTA, each with the best lambda of a sweep"
_claim(
    "momentum",
    "Momentum pays: FISTA gets nearer than ISTA in the same steps.",
    "Beck and Teboulle 2009 (FISTA), of the energy",
    "error of FISTA after sixteen steps less that of ISTA, each with the best lambda of a sweep; random codes, 40 dB",
    Decibels("SNR 40", "FISTA", ("ISTA",)),
)
_claim(
    "unrolled-codes",
    "An unrolled network gets nearer than ISTA and FISTA in the same steps: sparse codes.",
    "Gregor and LeCun 2010 (LISTA); Liu et al. 2019 (ALISTA)",
    f"ALISTA on random codes, 40 dB: {_ERROR}",
    Decibels("SNR 40", "ALISTA"),
)
_claim(
    "unrolled-denoising",
    "An unrolled network gets nearer than ISTA and FISTA in the same steps: photographs, denoising.",
    "follows from Liu et al. 2019 (ALISTA), whose atoms hardly resemble each other",
    f"ALISTA, learned on one photograph and judged on another: {_ERROR}",
    Decibels("denoising", "ALISTA"),
)
_claim(
    "unrolled-sensing",
    "An unrolled network gets nearer than ISTA and FISTA in the same steps: photographs, compressed sensing.",
    "follows from Liu et al. 2019 (ALISTA), whose atoms hardly resemble each other",
    f"ALISTA, learned on one photograph and judged on another: {_ERROR}",
    Decibels("compressed sensing", "ALISTA"),
)
_claim(
    "learned-denoising",
    "One that learns its matrices, too, gets nearer in the same steps: photographs, denoising.",
    "Gregor and LeCun 2010 (LISTA)",
    f"LISTA, learned on one photograph and judged on another: {_ERROR}",
    Decibels("denoising", "LISTA"),
)
_claim(
    "learned-sensing",
    "One that learns its matrices, too, gets nearer in the same steps: photographs, compressed sensing.",
    "Gregor and LeCun 2010 (LISTA)",
    f"LISTA, learned on one photograph and judged on another: {_ERROR}",
    Decibels("compressed sensing", "LISTA"),
)
_claim(
    "analytic-weights",
    "Weights that are computed and 32 numbers that are learned do better than millions that are learned.",
    "Liu et al. 2019 (ALISTA), who say as well as",
    "error of ALISTA after sixteen steps less that of LISTA; random codes, 40 dB; LISTA saw a thousand batches",
    Decibels("SNR 40", "ALISTA", ("LISTA",)),
)
_claim(
    "support",
    "Entries that are trusted should pass the threshold untouched.",
    "Chen et al. 2018 (LISTA-CPSS)",
    "error of LISTA-CPSS after sixteen steps less that of LISTA-CP; random codes, 40 dB",
    Decibels("SNR 40", "LISTA-CPSS", ("LISTA-CP",)),
)
