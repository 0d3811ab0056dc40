"""Published files brought to this machine, when asked for and in no other case."""

import os
from pathlib import Path

import pooch
import requests

from unroll.study.data import DataError
from unroll.study.sets.addresses import Remote, sources
from unroll.study.sets.archives import unpack

CHUNK = 2**16  # bytes
NOTHING_LEFT = 416  # HTTP's answer to who asks for what lies behind the end


def home(name: str) -> Path:
    """Return the folder in which a set is kept: inside that which UNROLL_DATA names, or inside the user's cache."""
    return Path(os.environ.get("UNROLL_DATA") or pooch.os_cache("unroll")) / name


def fetch(name: str, folder: Path | None = None) -> Path:
    """Fetch the files of a published set, check them, unpack them, and return their folder.

    A file that is there with the right checksum is not fetched again. One whose transfer broke off is continued where
    the server can do that, and started anew where it cannot; until all of it is there it is called NAME.part.

    Args:
        name: "mnist", "fashion-mnist", "cifar10", "mnist-c" or "cifar10-c".
        folder: where to keep it; where ``load`` looks for it when None.

    Raises:
        ValueError: when no set of that name can be fetched; the nearest is suggested.
        DataError: when no address gives the file, or what it gives is not the file; what was there before stays.

    Example:
        >>> fetch("cifar10")  # doctest: +SKIP
    """
    remotes, folder = sources[name], home(name) if folder is None else folder
    for remote in remotes:
        path = bring(remote, folder)
        if remote.archive:
            unpack(path, folder)
    return folder


def bring(remote: Remote, folder: Path) -> Path:
    """Return the path of one file, fetched from the first address that gives it, and checked."""
    part, problems = _part(folder, remote.name), []
    # Where the part is not of this file, the first try only finds that out, and deletes it.
    tries = (*remote.addresses[: part.exists()], *remote.addresses)
    for address in (f"{there}/{remote.name}" for there in tries):
        try:
            kept = pooch.retrieve(
                address, f"sha256:{remote.sha256}", fname=remote.name, path=folder, downloader=_continued
            )
            return Path(kept)
        except requests.RequestException as error:
            problems.append(f"{address}: {error}")
            if not _size(part):
                part.unlink(missing_ok=True)
        except ValueError:  # so pooch tells of another checksum, after it has deleted the file
            problems.append(f"{address} holds another file: expected sha256 {remote.sha256[:12]}...")
    raise DataError(f"{remote.name} could not be fetched to {folder}: {'; '.join(dict.fromkeys(problems))}")


def _part(folder: Path, name: str) -> Path:
    return folder / f"{name}.part"


def _continued(url: str, output_file: str, _: pooch.Pooch | None) -> None:
    """Download for pooch, which checks and renames, and has no resuming of its own: go on with NAME.part.

    A connection that breaks is opened again as long as each brings more than the one before.
    """
    part = _part(Path(output_file).parent, url.rsplit("/", 1)[-1])
    while True:
        held = _size(part)
        try:
            _transfer(url, part, held)
            break
        except requests.HTTPError as error:
            if error.response.status_code != NOTHING_LEFT or not held:
                raise
            part.unlink()
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
            if _size(part) <= held:
                raise
    part.replace(output_file)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _transfer(url: str, part: Path, held: int) -> None:
    # Bytes as they are stored: of a stream that is compressed on its way no part could be continued.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={held}-"} if held else {})
    with part.open("ab") as file:

        def start_anew(response: requests.Response, **_: object) -> None:
            if response.status_code == requests.codes.ok:  # not the part that was asked for, but the whole
                file.truncate(0)

        pooch.HTTPDownloader(progressbar=True, chunk_size=CHUNK, headers=headers, hooks={"response": start_anew})(
            url, file, None
        )
