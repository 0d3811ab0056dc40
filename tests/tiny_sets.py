"""Tiny copies of published data sets, in their real formats, and a server that gives them out, well or badly."""

import gzip
import io
import pickle
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
from PIL import Image

Pair = tuple[np.ndarray, np.ndarray]


def images(count: int, *shape: int, seed: int = 0) -> Pair:
    """Return random bytes [count, *shape] and labels that go round the ten classes."""
    drawn = np.random.default_rng(seed).integers(256, size=(count, *shape), dtype=np.uint8)
    return drawn, (np.arange(count) % 10).astype(np.uint8)


def idx(array: np.ndarray) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + np.array(array.shape, dtype=">u4").tobytes() + array.tobytes()


def mnist(folder: Path, ending: str = ".gz") -> dict[str, Pair]:
    """Write 200 training and 50 test images as MNIST is published."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {"train": images(200, 28, 28), "t10k": images(50, 28, 28, seed=1)}
    for part, (pictures, labels) in made.items():
        for what, array in (("images-idx3", pictures), ("labels-idx1", labels)):
            content = gzip.compress(idx(array)) if ending else idx(array)
            (folder / f"{part}-{what}-ubyte{ending}").write_bytes(content)
    return made


def cifar10() -> dict[str, Pair]:
    """Return five batches of 40 and a test batch of 30, by their names."""
    names = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
    counts = dict.fromkeys(names, 40) | {"test_batch": 30}
    return {name: images(count, 3, 32, 32, seed=seed) for seed, (name, count) in enumerate(counts.items())}


def cifar10_binary(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, (pictures, labels) in cifar10().items():
        records = np.concatenate([labels[:, None], pictures.reshape(len(labels), -1)], axis=1)
        (folder / f"{name}.bin").write_bytes(records.tobytes())


def cifar10_python(folder: Path, protocol: int = 2) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, (pictures, labels) in cifar10().items():
        batch = {b"data": pictures.reshape(len(labels), -1), b"labels": labels.tolist(), b"batch_label": b"one of 6"}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=protocol))


def cifar10_c(folder: Path) -> Pair:
    """Write fog at five severities of the thirty test images; severity s adds 10 s to their pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures, labels = cifar10()["test_batch"]
    copies = [pictures.transpose(0, 2, 3, 1) // 2 + 10 * severity for severity in range(1, 6)]
    np.save(folder / "fog.npy", np.concatenate(copies).astype(np.uint8))
    np.save(folder / "labels.npy", np.tile(labels, 5))
    return pictures, labels


def pictures(folder: Path, classes: dict[str, int], size: tuple[int, int] = (40, 30), suffix: str = ".png") -> None:
    """Write so many images of each class; all pixels of a class have its number, times 20."""
    for number, (name, count) in enumerate(classes.items()):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            Image.new("RGB", size, (20 * number, index, 0)).save(folder / name / f"{index}{suffix}")


def tar(members: dict[str, bytes | tarfile.TarInfo], mode: str = "w:gz") -> bytes:
    """Return an archive with files, or members of whatever kind."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=mode) as archive:
        for name, member in members.items():
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(member)
                archive.addfile(info, io.BytesIO(member))
    return content.getvalue()


@dataclass
class Served:
    """What a server gives out, and what it was asked for.

    Attributes:
        files: contents by path; anything else is not found.
        breaks: byte of a file at which the connection breaks, once for each time that it is listed.
        ranges: whether the server can continue.
        asked: path and range of each request.
    """

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    breaks: list[int] = field(default_factory=list)
    ranges: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)


@contextmanager
def serving() -> Iterator[Served]:
    """Serve over loopback within this context."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            served.asked.append((self.path, wanted))
            content = served.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and served.ranges else 0
            if start and start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            end = served.breaks.pop(0) if served.breaks else len(content)
            self.wfile.write(content[start:end])
            self.wfile.flush()
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Served(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
