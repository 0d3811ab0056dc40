"""What a reader does with a notebook in JupyterLab: open it, run it, scroll through it, move what can be moved."""

import io
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from PIL import Image, ImageChops
from playwright.sync_api import Locator, Page, TimeoutError

RUN_FOR, SHOW_FOR, ANSWER_FOR = 600_000, 60_000, 10_000  # milliseconds: all cells, Lab itself, a control
PANEL = ".jp-OutputArea-output:has(img.widget-image)"
# The time from the key to the new picture, on the browser's own clock.
WATCH = """picture => {
    window.pressed = window.loaded = undefined;
    document.addEventListener("keydown", () => { window.pressed ??= performance.now(); }, {capture: true, once: true});
    picture.onload = () => { window.loaded = performance.now(); };
}"""
AT_END = "e => e.options ? e.selectedIndex === e.length - 1 : e.ariaValueNow === e.ariaValueMax"
SCROLL = "e => { const y = e.scrollTop; e.scrollBy(0, e.clientHeight); return e.scrollTop > y; }"


@dataclass(frozen=True)
class Response:
    """What came of moving a control once: its label, seconds until the new picture, the picture before and after."""

    label: str
    seconds: float
    before: Image.Image
    after: Image.Image

    @property
    def changed(self) -> bool:
        """Whether any pixel differs."""
        if self.before.size != self.after.size:
            return True
        return ImageChops.difference(self.before, self.after).getbbox() is not None


class Reader:
    """A notebook that is open in a page of the browser."""

    def __init__(self, page: Page, address: str, path: Path) -> None:
        self.page, self.path = page, path
        page.goto(address.format(name=path.stem))
        # The indicator says idle before there is a kernel, and who runs cells then is asked to select one.
        page.wait_for_selector('.jp-Toolbar-kernelName:has-text("Python 3")', timeout=SHOW_FOR)
        self._wait_for("idle", SHOW_FOR)

    def _wait_for(self, status: str, patience: float) -> None:
        self.page.wait_for_selector(f'.jp-Notebook-ExecutionIndicator[data-status="{status}"]', timeout=patience)

    def _choose(self, menu: str, command: str) -> None:
        self.page.click(f'#jp-MainMenu .lm-MenuBar-item:has-text("{menu}")')
        self.page.click(f'.lm-Menu-item[data-command="{command}"]')

    def run_all(self) -> NotebookNode:
        """Run all cells and return the notebook as Lab saves it."""
        self._choose("Run", "runmenu:run-all")
        self._wait_for("busy", SHOW_FOR)
        self._wait_for("idle", RUN_FOR)
        with self.page.expect_response(lambda answer: answer.request.method == "PUT" and self.path.name in answer.url):
            self._choose("File", "docmanager:save")
        return nbformat.read(self.path, as_version=4)

    def panels(self) -> list[Locator]:
        """Return the outputs that hold controls and a picture."""
        return self.page.locator(PANEL).all()

    def move(self, panel: Locator) -> list[Response]:
        """Move each slider and each list of a panel to its last value and to its first, by the keyboard."""
        responses = []
        for control in panel.locator(".widget-slider, .widget-dropdown").all():
            handle = control.locator(".noUi-handle, select")
            keys = ("Home", "End") if handle.evaluate(AT_END) else ("End", "Home")
            label = control.locator(".widget-label").text_content()  # also when the cell is not drawn yet
            responses += [self._press(key, handle, panel.locator("img.widget-image"), label) for key in keys]
        return responses

    def _press(self, key: str, handle: Locator, picture: Locator, label: str) -> Response:
        before = photograph(picture)
        picture.evaluate(WATCH)
        handle.focus()
        self.page.keyboard.press(key)
        try:
            self.page.wait_for_function("window.loaded > window.pressed", timeout=ANSWER_FOR)
        except TimeoutError as error:
            raise AssertionError(f"{label}: no new picture within {ANSWER_FOR / 1000:.0f} s of {key}") from error
        seconds = self.page.evaluate("(window.loaded - window.pressed) / 1000")
        return Response(f"{label} ({key})", seconds, before, photograph(picture))

    def scroll_through(self, folder: Path) -> None:
        """Keep the notebook as it looks, window by window, as numbered pictures."""
        notebook = self.page.locator(".jp-NotebookPanel .jp-WindowedPanel-outer")
        notebook.evaluate("e => e.scrollTo(0, 0)")
        for number in range(1, 100):
            self.page.wait_for_timeout(300)  # cells are drawn when they come into sight
            self.page.screenshot(path=folder / f"{self.path.stem}-{number:02}.png")
            if not notebook.evaluate(SCROLL):
                break


def photograph(picture: Locator) -> Image.Image:
    return Image.open(io.BytesIO(picture.screenshot())).convert("RGB")
