"""The book in a browser that has no network: its front page, and every notebook by the link that leads to it."""

from pathlib import Path

import pytest
from lab import ROOT
from playwright.sync_api import Page

BOOK = ROOT / "build" / "book"
NAMES = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
# A picture that lies below the window is loaded only when it is looked at.
UNSEEN = "() => [...document.images].filter(i => !(i.complete && i.naturalWidth) && i.loading !== 'lazy').length"


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_opens_from_the_front_page(name: str, page: Page, pictures: Path) -> None:
    asked, broken = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.goto((BOOK / "index.html").as_uri())
    page.locator(f'a[href$="{name}.html"]').first.click()
    page.wait_for_selector("mjx-container", state="attached")  # equations are set by the page itself
    assert page.evaluate(UNSEEN) == 0
    page.screenshot(path=pictures / f"book-{name}.png")
    assert broken == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
