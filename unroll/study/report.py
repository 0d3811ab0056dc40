"""Tables for readers: from results to Markdown, and into the README between two marks."""

from pathlib import Path

import pandas as pd

from unroll.study.compare import Comparison
from unroll.study.files import write_aside
from unroll.study.gains import paired_gains
from unroll.study.robustness import STANDARD, shown
from unroll.study.statistics import ENOUGH, Finding, Paired

DISTANCE = "distance to fixed point"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


def markdown(comparison: Comparison) -> str:
    """Return the summary of a comparison as a Markdown table with a line that says what it is, and all differences.

    Example:
        >>> from unroll.study import Size, compare
        >>> outcome = compare(["softmax"], data="digits", epochs=1, size=Size(8, 1, 1))
        >>> markdown(outcome).splitlines()[0]
        '| attention | clean (%) | gaussian noise (%) | token occlusion (%) | fgsm (%) | tokens heard |'
    """
    rows = _table(comparison, tuple(shown(comparison.table)))
    return "\n".join([*rows, "", describe(comparison), *differences(comparison)])


def brief(comparison: Comparison) -> str:
    """Return what a front page has room for: the summary under three conditions, and the line that says what it is."""
    return "\n".join([*_table(comparison, STANDARD), "", describe(comparison)])


def _table(comparison: Comparison, conditions: tuple[str, ...]) -> list[str]:
    summary = comparison.summary()
    sparse = {"zeros in the code": "exact zeros", "distance to the fixed point": DISTANCE}
    # Columns without a number are left out, where no attention has a code.
    sparse = {title: column for title, column in sparse.items() if summary[column].notna().any()}
    errors = {"mCE (%)": "mCE"} if "mCE" in summary else {}
    spoiled = {f"{name} (%)": name for name in conditions}
    titles = ["attention", "clean (%)", *errors, *spoiled, "tokens heard", *sparse]
    rows = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for label, row in summary.iterrows():
        spread = f" ± {row['± clean']:.1f}" if row["seeds"] > 1 else ""
        cells = [
            label,
            f"{row['clean']:.1f}{spread}",
            *(f"{row[name]:.1f}" for name in (errors | spoiled).values()),
            f"{row['effective tokens']:.1f}",
            *(_share(row[column]) for column in sparse.values()),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def differences(comparison: Comparison, base: str = "softmax") -> list[str]:
    """Return :func:`gains` as a list in Markdown with a line that says what it is, or nothing."""
    told = gains(comparison, base)
    if told.empty:
        return []
    lines = [
        f"- `{label}`: {', '.join(f'{name} {gain}' for name, gain in row.items())}" for label, row in told.iterrows()
    ]
    return ["", f"{behind(comparison, base)}:", "", *lines]


def behind(comparison: Comparison, base: str = "softmax") -> str:
    """Return what :func:`gains` holds, in a line."""
    interval = "95 % interval" if comparison.table.seed.nunique() >= ENOUGH else "lowest to highest seed"
    return f"Against {base}, in points of accuracy, paired by seed (mean; {interval})"


def gains(comparison: Comparison, base: str = "softmax") -> pd.DataFrame:
    """Return what each attention gains or loses against ``base`` under each condition, paired by seed, in words.

    One row an attention, one column a condition; empty without the base, or with a single seed. Each difference is a
    mean over seeds. From five seeds on Student's paired 95 % interval stands behind it, and "no difference" where that
    or the bootstrap's holds zero; with fewer the lowest and the highest seed: a range, which carries no verdict.
    """
    return paired_gains(comparison.table, base).map(_told)


def _told(found: Paired | None) -> str:
    if found is None:
        return Finding.NOT_RUN.gain
    if found.seeds < ENOUGH:
        return f"{_points(found.mean)} ({_points(found.span.low)} to {_points(found.span.high)})"
    verdict = f", {Finding.UNSEEN.gain}" if found.finding is Finding.UNSEEN else ""
    return f"{_points(found.mean)} ({_points(found.student.low)} to {_points(found.student.high)}{verdict})"


def _points(gain: float) -> str:
    """Return points with their sign, and with a second digit where one would hide on which side of zero they are."""
    return f"{gain:+.2f}" if 0 < abs(gain) < 0.05 else f"{gain:+.1f}"


def describe(comparison: Comparison) -> str:
    """Return one sentence on how the numbers came about."""
    made = comparison.configuration
    seeds, size = len(made["seeds"]), made["size"]
    kind = "a demonstration: one seed carries no verdict" if seeds == 1 else f"{seeds} seeds, too few for a verdict"
    if seeds >= ENOUGH:
        kind = f"{seeds} seeds"
    relative = ", distances are relative, both means over layers" if _measured(comparison) else ", a mean over layers"
    return (
        f"{made['data']}, a vision transformer of width {size['dim']} and depth {size['depth']}, "
        f"{made['recipe']['epochs']} epochs; {kind}. Accuracy on the {made['judged_on']} split, under a condition the "
        "mean over its severities; ± is half the 95 % Student interval over seeds; tokens heard is the exponential of "
        f"the map's entropy{relative}."
    )


def _measured(comparison: Comparison) -> bool:
    """Whether any attention has a fixed point that it was held against."""
    table = comparison.table
    return bool(table[table.measure == DISTANCE].value.notna().any())


def refresh(readme: Path, comparison: Comparison) -> None:
    """Put the table of a comparison between the two marks of a README.

    Raises:
        ValueError: when the README does not hold both marks.
    """
    text = refreshed(readme.read_text(), comparison)
    write_aside(readme, lambda path: path.write_text(text))


def refreshed(text: str, comparison: Comparison) -> str:
    """Return the README's text with its table made anew."""
    if BEGIN not in text or END not in text:
        raise ValueError(f"README must hold the marks {BEGIN} and {END}, in this order")
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    return f"{before}{BEGIN}\n{brief(comparison)}\n{END}{after}"


def _share(value: float) -> str:
    return "–" if pd.isna(value) else f"{100 * value:.0f} %"
