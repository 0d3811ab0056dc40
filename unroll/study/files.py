"""Writing files so that a power cut leaves the old one or the new one, never half of either."""

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import mkstemp


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
