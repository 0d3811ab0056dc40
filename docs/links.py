"""Hold the built book against what a reader clicks on and opens without a network: python docs/links.py build/book."""

import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a page loads by itself when it is opened; a link to elsewhere is the reader's choice.
_LOADED = {("script", "src"), ("img", "src"), ("source", "src"), ("iframe", "src"), ("link", "href")}


@dataclass
class Page(HTMLParser):
    """What an HTML page points at, what it loads, and which places in it can be pointed at."""

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    @classmethod
    def read(cls, path: Path) -> "Page":
        """Return what the file holds."""
        page = cls()
        page.feed(path.read_text(encoding="utf-8"))
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" or (tag, name) == ("a", "name"):
                self.anchors.add(value or "")
            elif (tag, name) in _LOADED:
                self.loads.append(value or "")
            elif (tag, name) == ("a", "href"):
                self.links.append(value or "")


def faults(site: Path) -> list[str]:
    """Return a line for each internal link, anchor or file of a site that is not there, and each that is loaded."""
    files = (path for path in sorted(site.resolve().rglob("*.html")) if "_static" not in path.parts)  # templates
    pages = {path: Page.read(path) for path in files}
    found = []
    for path, page in pages.items():
        where = path.relative_to(site.resolve())
        foreign = (link for link in page.loads if _remote(link) and not link.startswith("data:"))  # in the page itself
        found += [f"{where}: {link} is loaded from elsewhere" for link in foreign]
        for link in filter(lambda link: not _remote(link), page.links + page.loads):
            parts = urlsplit(link)
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                found.append(f"{where}: {link} is not there")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                found.append(f"{where}: {link} has no such place")
    return found


def _remote(link: str) -> bool:
    return bool(urlsplit(link).scheme or urlsplit(link).netloc)


if __name__ == "__main__":
    lines = faults(Path(sys.argv[1]))
    sys.exit("\n".join(lines) or None)
