"""What a contract check is made of: rules that measure, verdicts that say what came out, a report to read."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from unroll.registry import Registry

Measure = Callable[..., float | str]


class ContractError(AssertionError):
    """A thing breaks a rule of its contract."""


@dataclass(frozen=True)
class Rule:
    """One promise of a contract.

    Attributes:
        measure: returns a number that must not exceed the tolerance, or in words why there is nothing to measure.
        tolerance: the largest number that passes.
        remedy: what to do when it fails.
    """

    measure: Measure
    tolerance: float
    remedy: str


@dataclass(frozen=True)
class Verdict:
    """One rule's outcome.

    Attributes:
        rule: its name.
        passed: None where there is nothing to measure.
        measured: what it measured; in words, an error that was raised or why there is nothing to measure.
        tolerance: the largest number that passes.
        remedy: what to do when it fails.

    Example:
        >>> print(Verdict("zero is zero", True, 0.0, 1e-9, "look at the zero"))
          pass  zero is zero                            0.0e+00  (at most 1e-09)
    """

    rule: str
    passed: bool | None
    measured: float | str
    tolerance: float
    remedy: str

    def __str__(self) -> str:
        word = {True: "pass", False: "FAIL", None: "  - "}[self.passed]
        remedy = f"\n        remedy: {self.remedy}" if self.passed is False else ""
        return f"  {word}  {self.rule:40}{self._outcome()}".rstrip() + remedy

    def _outcome(self) -> str:
        """Return what was measured and what would pass; a rule without room in between says all in its first word."""
        if self.passed and self.tolerance == 0:
            return ""
        shown = self.measured if isinstance(self.measured, str) else f"{self.measured:.1e}"
        return shown if self.passed is None else f"{shown}  (at most {self.tolerance:.0e})"


@dataclass(frozen=True)
class Report:
    """All verdicts on one thing; printing it shows a line a rule.

    Example:
        >>> from unroll import Unrolled, check_solver
        >>> report = check_solver(Unrolled(5))
        >>> report.passed, report.failed
        (True, ())
    """

    subject: str
    verdicts: tuple[Verdict, ...]

    @property
    def passed(self) -> bool:
        """Whether no rule failed."""
        return not self.failed

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of the rules that failed."""
        return tuple(verdict.rule for verdict in self.verdicts if verdict.passed is False)

    def __repr__(self) -> str:
        outcome = "all rules hold" if self.passed else f"broken ({', '.join(self.failed)})"
        return "\n".join([f"{self.subject}: {outcome}", *map(str, self.verdicts)])


class Rules(Registry[Rule]):
    """The rules of one contract, by name."""

    def __init__(self) -> None:
        super().__init__("rule")

    def rule(self, name: str, remedy: str, *, tolerance: float = 0.0) -> Callable[[Measure], Measure]:
        """Return a decorator that files a measure as the rule ``name``."""

        def file(measure: Measure) -> Measure:
            self.register(name)(Rule(measure, tolerance, remedy))
            return measure

        return file

    def judge(self, subject: str, *case: object, raises: bool) -> Report:
        """Return the verdicts of all rules on a case, which every measure is called with.

        Raises:
            ContractError: with ``raises``, naming each broken rule, its number and a remedy.
        """
        report = Report(subject, tuple(_judge(name, self[name], case) for name in self))
        if raises and not report.passed:
            raise ContractError(f"\n{report}")
        return report


def _judge(name: str, rule: Rule, case: tuple[object, ...]) -> Verdict:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a trial may well stop before its tolerance: it is the rule that judges
            measured = rule.measure(*case)
    except Exception as error:  # whatever a thing under test raises is its verdict
        text = str(error).strip() or "no message"
        return Verdict(name, False, f"{type(error).__name__}: {text.splitlines()[0]}", rule.tolerance, rule.remedy)
    passed = None if isinstance(measured, str) else bool(measured <= rule.tolerance)
    return Verdict(name, passed, measured, rule.tolerance, rule.remedy)


def gap(a: Tensor, b: Tensor) -> float:
    """Return the largest difference; infinite when the shapes differ or a number is not finite."""
    if a.shape != b.shape or not (torch.isfinite(a).all() and torch.isfinite(b).all()):
        return float("inf")
    return (a - b).abs().max().item() if a.numel() else 0.0


def refused(call: Callable[[], object], *names: str) -> float:
    """Return 0 when the call raises a ValueError that holds one of the names, else 1."""
    try:
        call()
    except ValueError as error:
        return float(not any(name in str(error) for name in names))
    except Exception:
        return 1.0
    return 1.0
