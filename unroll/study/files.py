"""Writing files so that a power cut leaves the old one or the new one, never half of either."""

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import mkstemp

import pandas as pd


def write_aside(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a file beside ``path``, then rename it; on any error the old file stays.

    Raises:
        OSError: when the folder cannot be written or the disk is full.
    """
    handle, name = mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    aside = Path(name)
    try:
        write(aside)
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        aside.chmod(0o644)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, to six digits, in one move; folders are made.

    Raises:
        OSError: when the folder cannot be written or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_aside(path, lambda aside: table.to_csv(aside, index=False, float_format="%.6g"))
