"""The browser, and the folder that keeps what it showed."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import ROOT
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
# On top of --headless and --no-sandbox: nothing of the browser's own goes to the network.
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The system's own Chromium: none is ever downloaded."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.exit(
            f"no browser: none of {', '.join(NAMES)} is on the PATH; install one from your system "
            "(Debian and Ubuntu: apt-get install chromium) or set CHROMIUM to its path",
            returncode=1,
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, chromium_sandbox=False, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A window as wide as a laptop's and taller, so that a notebook is a handful of pictures."""
    page = chromium.new_page(viewport={"width": 1440, "height": 1800})
    yield page
    page.close()


@pytest.fixture(scope="session")
def pictures() -> Path:
    """An empty folder for screenshots, outside version control."""
    folder = ROOT / "runs" / "browser"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
