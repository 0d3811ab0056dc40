"""The table of claims: all of them judged, as a table and as Markdown."""

import math
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from unroll.study.claims.claim import Claim, Estimate, NotThereError, claims
from unroll.study.statistics import Finding

NUMBERS = ("value", "low", "high", "effect")
_NAN = float("nan")
_EMPTY = asdict(Estimate(_NAN, _NAN, _NAN, unit="", n=0, of=""))


def judge_claims(results: Path) -> pd.DataFrame:
    """Return every claim with its estimate and verdict, one row each.

    Columns are name, claim, source, here, those of :class:`Estimate`, direction, threshold, verdict, command, and
    reason: why a claim was not run, where its evidence is not in the folder.

    Args:
        results: the folder of results. Identities are computed on the spot.

    Raises:
        FileNotFoundError: when there is no such folder.

    Example:
        >>> judged = judge_claims(Path()).set_index("name")  # no results here, but identities need none
        >>> judged.verdict["one-step"], judged.verdict["vars-noise"]
        ('holds', 'not run')
    """
    if not results.is_dir():
        raise FileNotFoundError(f"results must be a folder of results, got {results}, which does not exist")
    return pd.DataFrame([_row(name, claims[name], results) for name in claims])


def read_claims(path: Path) -> pd.DataFrame:
    """Return a table of claims as it was written, to six digits; numbers that are not there are NaN."""
    return pd.read_csv(path, keep_default_na=False, na_values=dict.fromkeys(NUMBERS, ""))


def told(table: pd.DataFrame) -> str:
    """Return the table of :func:`judge_claims` as Markdown, with the words that it uses."""
    counts = table.verdict.value_counts()
    words = {finding.word: finding.meaning for finding in Finding}
    missing = table.verdict == Finding.NOT_RUN.word
    run, waiting = table[~missing], table[missing]
    lines = [
        "# What is claimed, and what comes true of it here",
        "",
        "Written by `python -m unroll claims` from the tables in this folder; identities are computed on the spot, and "
        "judged by the largest difference over some draws. Verdicts are about these networks, data sets and recipes, "
        "and about nothing else. Of claims that chance alone decides, one in twenty gets a verdict all the same; "
        f"{len(run)} are judged, and none is corrected for that. g is Hedges', a mean difference in deviations.",
        "",
        *(f"- **{word}** ({counts.get(word, 0)}): {meaning}" for word, meaning in words.items()),
        "",
        "| claim | source | here | number | verdict | command |",
        "|---|---|---|---|---|---|",
    ]
    for row in run.itertuples():
        cells = (row.claim, row.source, row.here, _number(row), f"**{row.verdict}**", f"`{row.command}`")
        lines.append(f"| {' | '.join(cells)} |")
    if len(waiting):
        lines += ["", f"{Finding.NOT_RUN.word.capitalize()}:", ""]
        lines += [f"- {row.claim} ({row.source}; `{row.command}`): {row.reason}" for row in waiting.itertuples()]
    return "\n".join([*lines, ""])


def _row(name: str, claim: Claim, results: Path) -> dict[str, object]:
    try:
        found = claim.evidence(results)
        numbers, finding, reason = asdict(found), claim.judge(found), ""
    except NotThereError as error:
        numbers, finding, reason = _EMPTY, Finding.NOT_RUN, str(error)
    return {
        "name": name,
        "claim": claim.statement,
        "source": claim.source,
        "here": claim.here,
        **numbers,
        "direction": claim.direction,
        "threshold": claim.threshold,
        "verdict": finding.word,
        "command": claim.command,
        "reason": reason,
    }


def _number(row: object) -> str:
    """Return the estimate, its interval, its effect size, and what was claimed of it."""
    sign = "+" if row.threshold == 0 else ""
    width = row.high - row.low
    # Two digits of half an interval say how much of a number is known.
    form = f"{sign}.{max(0, 1 - math.floor(math.log10(width / 2)))}f" if width > 0 else f"{sign}.3g"
    value, low, high = (format(number, form) for number in (row.value, row.low, row.high))
    told = [f"{value} {row.unit}" + (f" ({low} to {high})" if width > 0 else "")]
    told += [f"g = {row.effect:.1f}"] if math.isfinite(row.effect) else []
    told += [f"{row.n:,} {row.of if row.n > 1 else row.of.removesuffix('s')}"]
    return "; ".join([*told, f"claimed: {row.direction} than {row.threshold:g}"])
