"""Archives unpacked so that no member lands outside its folder."""

import gzip
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from tqdm.auto import tqdm

from unroll.study.data import DataError

Member = tuple[str, Callable[[], IO[bytes]]]


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar, compressed or not, or a zip; files that ``folder`` already holds are left alone.

    Only files and folders are made, and only inside: all members are looked at before the first is written, and the
    folder gets them in one move each, when all have been read to their end. Owners, modes and links are not restored.
    Whether it is the right archive is for its checksum to say; a tar does not tell of every flipped byte.

    Raises:
        DataError: when the archive is damaged, or a member has an absolute path, leaves the folder, or is a link, a
            device or anything else but a file or a folder.
    """
    aside = folder / f".{archive.name}.unpacking"
    shutil.rmtree(aside, ignore_errors=True)  # of a process that was killed
    try:
        with _opened(archive) as members:
            missing = [member for member in members if not (folder / member[0]).is_file()]
            for name, opened in tqdm(missing, desc=f"unpacking {archive.name}", unit="file", leave=False):
                path = aside / name
                path.parent.mkdir(parents=True, exist_ok=True)
                with opened() as source, path.open("wb") as file:
                    shutil.copyfileobj(source, file, 2**20)
        for name, _ in missing:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (aside / name).replace(folder / name)
    except (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"archive {archive} is damaged: {error}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def _opened(archive: Path) -> Iterator[list[Member]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as file:
            yield _of_zip(archive, file)
    else:
        with tarfile.open(archive) as file:
            yield _of_tar(archive, file)


def _of_tar(archive: Path, file: tarfile.TarFile) -> list[Member]:
    for member in file.getmembers():
        _check(archive, member.name, plain=member.isreg() or member.isdir())
    return [(m.name, lambda m=m: file.extractfile(m)) for m in file.getmembers() if m.isreg()]


def _of_zip(archive: Path, file: zipfile.ZipFile) -> list[Member]:
    for member in file.infolist():
        kind = stat.S_IFMT(member.external_attr >> 16)
        _check(archive, member.filename, plain=kind in (0, stat.S_IFREG, stat.S_IFDIR))
    return [(m.filename, lambda m=m: file.open(m)) for m in file.infolist() if not m.is_dir()]


def _check(archive: Path, name: str, *, plain: bool) -> None:
    """Raise DataError unless a member stays inside, read as a path of either kind of system."""
    for path in (PurePosixPath(name), PureWindowsPath(name)):
        if path.is_absolute() or path.anchor or ".." in path.parts:
            raise DataError(f"archive {archive} is refused: its member {name!r} would land outside its folder")
    if not plain:
        raise DataError(f"archive {archive} is refused: its member {name!r} is neither a file nor a folder")
