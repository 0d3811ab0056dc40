"""The contract check: what is wrong with a new attention, rule by rule."""

import copy
from dataclasses import dataclass

import torch

from unroll.attention.base import Attention
from unroll.attention.registry import create
from unroll.attention.rules import Rule, rules


class ContractError(AssertionError):
    """An attention breaks a rule of the contract."""


@dataclass(frozen=True)
class Verdict:
    """One rule's outcome.

    Attributes:
        rule: its name.
        passed: None where the traits do not declare what the rule tests.
        measured: what it measured; an exception's text when the layer raised.
        tolerance: the largest number that passes.
        remedy: what to do when it fails.
    """

    rule: str
    passed: bool | None
    measured: float | str | None
    tolerance: float
    remedy: str

    def __str__(self) -> str:
        word = {True: "pass", False: "FAIL", None: "  - "}[self.passed]
        shown = f"{self.measured:.1e}" if isinstance(self.measured, float) else self.measured or "not declared"
        limit = "" if self.passed is None else f"  (at most {self.tolerance:.0e})"
        remedy = f"\n        remedy: {self.remedy}" if self.passed is False else ""
        return f"  {word}  {self.rule:34}{shown}{limit}{remedy}"


@dataclass(frozen=True)
class Report:
    """All verdicts on one attention; printing it shows a line a rule."""

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
        return "\n".join([f"{self.subject}: {'all rules hold' if self.passed else 'broken'}", *map(str, self.verdicts)])


def check_attention(
    attention: str | Attention, *, dim: int = 12, heads: int = 3, tokens: int = 8, raises: bool = True
) -> Report:
    """Hold an attention against what its traits declare, in float64 and evaluation mode.

    Args:
        attention: a registered name, or a layer (which is copied, not changed).
        dim: width, when a name is given.
        heads: heads, when a name is given.
        tokens: number of tokens of the trial input; a layer with a grid gets as many as its grid has.
        raises: False returns a report with failures instead of raising.

    Raises:
        ContractError: naming each broken rule, its number and a remedy.

    Example:
        >>> check_attention("softmax").passed
        True
    """
    grid = (2, max(2, tokens // 2))  # not square, so that swapping the axes shows
    layer = create(attention, dim=dim, heads=heads, grid=grid) if isinstance(attention, str) else attention
    layer = copy.deepcopy(layer).double().eval()
    count = layer.grid[0] * layer.grid[1] if layer.grid else tokens
    generator = torch.Generator().manual_seed(0)
    parameter = next(layer.parameters(), torch.empty(0))
    x = torch.randn(3, count, layer.dim, dtype=torch.float64, generator=generator).to(parameter.device)
    subject = attention if isinstance(attention, str) else type(attention).__name__
    report = Report(subject, tuple(_judge(name, rules[name], layer, x) for name in rules))
    if raises and not report.passed:
        raise ContractError(f"\n{report}")
    return report


def _judge(name: str, rule: Rule, layer: Attention, x: torch.Tensor) -> Verdict:
    if not rule.applies(layer.traits):
        return Verdict(name, None, None, rule.tolerance, rule.remedy)
    try:
        measured = rule.measure(layer, x)
    except Exception as error:  # whatever a layer under test raises is its verdict
        text = str(error).strip() or "no message"
        return Verdict(name, False, f"{type(error).__name__}: {text.splitlines()[0]}", rule.tolerance, rule.remedy)
    return Verdict(name, measured <= rule.tolerance, measured, rule.tolerance, rule.remedy)
