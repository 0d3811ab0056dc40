"""The book holds everything it should, and its links are checked. ``make book`` builds it."""

import importlib
import re
from pathlib import Path

import pytest
from test_docstrings import PLAIN, WINGS

import unroll
from docs.links import faults
from unroll.registry import Registry

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "api"


def test_a_sound_site_has_no_faults(tmp_path):
    (tmp_path / "a.html").write_text('<p id="here"><a href="#here">x</a> <a href="in/b%20c.html#there">y</a>')
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "b c.html").write_text(
        '<a name="there"></a><a href="https://example.org">z</a><img src="p.png"><img src="data:image/png;base64,AA==">'
    )
    (tmp_path / "in" / "p.png").touch()
    assert faults(tmp_path) == []


@pytest.mark.parametrize(
    ("html", "said"),
    [
        ('<a href="b.html">', "b.html is not there"),
        ('<a href="#nowhere">', "#nowhere has no such place"),
        ('<a href="a.html#nowhere">', "a.html#nowhere has no such place"),
        ('<img src="p.png">', "p.png is not there"),
        ('<script src="https://example.org/x.js">', "https://example.org/x.js is loaded from elsewhere"),
        ('<link href="//example.org/x.css">', "//example.org/x.css is loaded from elsewhere"),
    ],
)
def test_what_a_reader_would_miss_is_found(tmp_path, html, said):
    (tmp_path / "a.html").write_text(html)
    assert faults(tmp_path) == [f"a.html: {said}"]


def test_the_first_page_of_the_api_tells_of_the_thirty_names():
    told = re.findall(r"^   ~?(?:\w+\.)?(\w+)$", (PAGES / "unroll.md").read_text(), re.M)
    assert sorted(told) == sorted(unroll.__all__)


@pytest.mark.parametrize("wing", WINGS[1:])
def test_names_without_a_docstring_of_their_own_are_told_of_on_the_page(wing):
    module = importlib.import_module(wing)
    page = (PAGES / f"{wing.split('.')[1]}.md").read_text()
    for name in module.__all__:
        if name in PLAIN or isinstance(getattr(module, name), Registry):
            assert f".. py:data:: {name}\n" in page, name
