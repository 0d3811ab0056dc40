"""The table of claims: all of them judged, as a table and as Markdown."""

from pathlib import Path

import pandas as pd

from unroll.study.claims.claim import Claim, NotThereError, claims
from unroll.study.statistics import Finding

_EMPTY = {"value": float("nan"), "low": float("nan"), "high": float("nan"), "unit": "", "n": 0, "of": ""}


def judge_claims(results: Path) -> pd.DataFrame:
    """Return every claim with its estimate and verdict, one row each.

    Columns are name, claim, source, here, value, low, high, unit, n, of, direction, threshold, verdict, command, and
    reason: why a claim was not run, where its evidence is not in the folder.

    Args:
        results: the folder of results. Identities are computed on the spot.

    Raises:
        FileNotFoundError: when there is no such folder.

    Example:
        >>> judge_claims(Path("results")).set_index("name").verdict["one-step"]  # doctest: +SKIP
        'holds'
    """
    if not results.is_dir():
        raise FileNotFoundError(f"results must be a folder of results, got {results}, which does not exist")
    return pd.DataFrame([_row(name, claims[name], results) for name in claims])


def told(table: pd.DataFrame) -> str:
    """Return the table of :func:`judge_claims` as Markdown, with the words that it uses."""
    counts = table.verdict.value_counts()
    words = {finding.word: finding.meaning for finding in Finding}
    run, waiting = (
        table[mask] for mask in (table.verdict != Finding.NOT_RUN.word, table.verdict == Finding.NOT_RUN.word)
    )
    lines = [
        "# What is claimed, and what comes true of it here",
        "",
        "Written by `python -m unroll claims` from the tables in this folder; identities are computed on the spot. "
        "Verdicts are about these networks, data sets and recipes, and about nothing else. Of claims that chance alone "
        f"decides, one in twenty gets a verdict all the same; {len(run)} are judged, and none is corrected for that.",
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
    said = {"name": name, "claim": claim.statement, "source": claim.source, "here": claim.here}
    judged = {"direction": claim.direction, "threshold": claim.threshold}
    try:
        found = claim.evidence(results)
    except NotThereError as missing:
        return (
            said | _EMPTY | judged | {"verdict": Finding.NOT_RUN.word, "command": claim.command, "reason": str(missing)}
        )
    finding = claim.judge(found)
    return said | vars(found) | judged | {"verdict": finding.word, "command": claim.command, "reason": ""}


def _number(row: object) -> str:
    """Return the estimate, its interval, and what was claimed of it."""
    sign = "+" if row.threshold == 0 else ""
    value, low, high = (f"{number:{sign}.3g}" for number in (row.value, row.low, row.high))
    between = "" if low == high else f" ({low} to {high})"
    return f"{value} {row.unit}{between}; {row.n:,} {row.of}; claimed: {row.direction} than {row.threshold:g}"
