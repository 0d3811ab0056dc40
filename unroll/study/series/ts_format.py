"""Reading the .ts files in which the UCR and UEA archives publish time series."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unroll.study.data import DataError


@dataclass(frozen=True, eq=False)
class SeriesFile:
    """What one .ts file holds.

    Attributes:
        series: one array [steps, channels] a series, float32; a missing value is NaN.
        targets: one a series: the number of its class, or the number to be regressed.
        classes: the names of the classes as the header declares them; none for regression.
    """

    series: list[np.ndarray]
    targets: np.ndarray
    classes: tuple[str, ...]


def read_ts(path: Path) -> SeriesFile:
    """Read a .ts file: header lines that begin with @, then a line a series, channels and target between colons.

    Raises:
        DataError: naming the file, and the line where there is one, when the file is missing, holds no series, stamps
            its steps with times, declares no target, or a series is cut off or does not fit the header.
    """
    return parse_ts(_text(path), str(path))


def parse_ts(text: str, source: str) -> SeriesFile:
    """Return what the text of a .ts file holds; ``source`` names it in errors.

    Raises:
        DataError: as :func:`read_ts`.
    """
    header, rows = _split(text, source)
    if header.get("timestamps", "false").startswith("true"):
        raise DataError(f"{source} must hold plain series, got time stamps, which are not read")
    labels = header.get("classlabel", "false").split()
    regression = header.get("targetlabel", "false").split()[:1] == ["true"]
    if labels[:1] != ["true"] and not regression:
        raise DataError(f"{source} must declare '@classLabel true ...' or '@targetLabel true', got neither")
    classes = () if regression else tuple(labels[1:])
    series, targets = [], []
    for number, row in rows:
        where = f"{source}, line {number}"
        *channels, target = row.split(":")
        channels = [_numbers(channel, where) for channel in channels]
        _fits(channels, header, len(series[0][0]) if series else None, where)
        series.append(np.stack(channels, axis=1))
        targets.append(_target(target.strip(), classes, where))
    return SeriesFile(series, np.array(targets, dtype=np.int64 if classes else np.float32), classes)


def _text(path: Path) -> str:
    if not path.is_file():
        raise DataError(f"series file {path} is missing")
    return path.read_text(encoding="utf-8", errors="replace")  # comments hold letters of several encodings


def _split(text: str, source: str) -> tuple[dict[str, str], list[tuple[int, str]]]:
    """Return the header, its keys in small letters, and the lines that hold series, with their numbers."""
    header: dict[str, str] = {}
    rows = []
    for number, line in enumerate(map(str.strip, text.splitlines()), start=1):
        if not line or line.startswith(("#", "%")):
            continue
        if line.startswith("@"):
            key, _, value = line[1:].partition(" ")
            header[key.lower()] = value.strip()
        elif "data" in header:
            rows.append((number, line))
        else:
            raise DataError(f"{source}, line {number}: expected a header line, which begins with @, got {line[:30]!r}")
    if not rows:
        raise DataError(f"{source} must hold series behind a line '@data', got none: is it cut off?")
    return header, rows


def _numbers(channel: str, where: str) -> np.ndarray:
    try:
        return np.array([np.nan if text.strip() == "?" else float(text) for text in channel.split(",")], np.float32)
    except ValueError as error:
        raise DataError(f"{where}: expected numbers between commas, got one that is none: {error}") from error


def _fits(channels: list[np.ndarray], header: dict[str, str], width: int | None, where: str) -> None:
    """Raise DataError when a series is not whole."""
    expected = int(header.get("dimensions", width or max(len(channels), 1)))
    if len(channels) != expected:
        raise DataError(f"{where}: expected {expected} channels and a target, got {len(channels)}: is it cut off?")
    lengths = {len(channel) for channel in channels}
    if len(lengths) > 1:
        raise DataError(f"{where}: expected channels of one length, got {sorted(lengths)}: is it cut off?")
    if header.get("equallength") == "true" and "serieslength" in header and lengths != {int(header["serieslength"])}:
        raise DataError(f"{where}: expected {header['serieslength']} steps, got {lengths.pop()}: is it cut off?")


def _target(text: str, classes: tuple[str, ...], where: str) -> float | int:
    if classes:
        if text not in classes:
            raise DataError(f"{where}: expected one of the classes {', '.join(classes)}, got {text[:30]!r}")
        return classes.index(text)
    try:
        return float(text)
    except ValueError as error:
        raise DataError(f"{where}: expected a number to regress, got {text[:30]!r}") from error
