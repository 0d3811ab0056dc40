"""Writing files so that a power cut leaves the old one or the new one, never half of either."""

import os
from collections.abc import Callable
from glob import escape
from pathlib import Path
from tempfile import mkstemp

import pandas as pd


def write_aside(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a file beside ``path``, then rename it; on any error the old file stays.

    Raises:
        OSError: when the folder cannot be written or the disk is full; it names ``path``.
    """
    aside = None
    try:
        handle, name = mkstemp(dir=path.parent, prefix=_prefix(path), suffix=path.suffix)
        os.close(handle)
        aside = Path(name)
        write(aside)
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        aside.chmod(0o644)
        aside.replace(path)
    except OSError as error:
        reason = f"cannot be written ({error.strerror or error}); what was there before stays"
        raise OSError(error.errno, reason, str(path)) from error
    finally:
        if aside is not None:
            aside.unlink(missing_ok=True)


def sweep(path: Path) -> None:
    """Remove what writers of ``path`` left beside it when they were killed; none of them must be at work."""
    for leftover in path.parent.glob(f"{escape(_prefix(path))}????????{escape(path.suffix)}"):  # as mkstemp names them
        leftover.unlink(missing_ok=True)


def discard(path: Path) -> None:
    """Remove a file, if it is there, and what its writers left beside it."""
    sweep(path)
    path.unlink(missing_ok=True)


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, to six digits, in one move; folders are made.

    Raises:
        OSError: when the folder cannot be written or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_aside(path, lambda aside: table.to_csv(aside, index=False, float_format="%.6g"))


def _prefix(path: Path) -> str:
    return f".{path.stem}-"
