"""A JupyterLab of its own for each notebook: a free port, a token, and a folder that is thrown away."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import nbformat

ROOT = Path(__file__).parents[1]
# Lab asks each newcomer whether it may fetch news: in a test nobody answers, and nothing is fetched.
QUIET = '{"fetchNews": "false", "checkForUpdates": false}'
PATIENCE = 60.0  # seconds until the server answers


def copy_for_reader(name: str, folder: Path) -> Path:
    """Copy a notebook, without its committed outputs, and the tables that notebooks read; return the copy."""
    copy = folder / "notebooks" / f"{name}.ipynb"
    copy.parent.mkdir(parents=True)
    for beside in ("results", "benchmarks"):
        shutil.copytree(ROOT / beside, folder / beside)
    notebook = nbformat.read(ROOT / "notebooks" / copy.name, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, copy)
    return copy


def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()[1]


@contextmanager
def jupyter_lab(folder: Path, fast: bool) -> Iterator[str]:
    """Run JupyterLab in ``folder/notebooks`` and give the form of its addresses; its settings stay in there."""
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text(QUIET)
    port, token = free_port(), secrets.token_hex()
    places = {
        "JUPYTERLAB_SETTINGS_DIR": folder / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": folder / "workspaces",
        "JUPYTER_CONFIG_DIR": folder / "config",
        "JUPYTER_DATA_DIR": folder / "data",
        "JUPYTER_RUNTIME_DIR": folder / "runtime",
        "IPYTHONDIR": folder / "ipython",
    }
    environment = os.environ | {name: str(place) for name, place in places.items()} | {"UNROLL_FAST": str(int(fast))}
    options = [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", *options]
    log = folder / "lab.log"
    with log.open("w") as lines:
        server = subprocess.Popen(  # noqa: S603
            command, cwd=folder / "notebooks", env=environment, stdout=lines, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_it_answers(server, f"http://127.0.0.1:{port}/api", log)
        yield f"http://127.0.0.1:{port}/lab/tree/{{name}}.ipynb?token={token}"
    finally:
        server.terminate()  # its kernels end with it
        server.wait(PATIENCE)


def _wait_until_it_answers(server: subprocess.Popen, address: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while server.poll() is None and time.monotonic() < deadline:
        try:
            urlopen(address).close()  # noqa: S310
        except URLError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"JupyterLab did not answer within {PATIENCE:.0f} s; it said:\n{log.read_text()}")
