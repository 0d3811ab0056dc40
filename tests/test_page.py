"""The report of a study: one file, nothing outside it, all that decided its numbers."""

import json
import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from tables import SHORT, SMALL

from unroll.__main__ import main
from unroll.study import Comparison, Entry, Settings, run_study
from unroll.study.page import page, write_page

VOID = {"meta", "img", "link", "br"}


class Reader(HTMLParser):
    """Reads a page; collects its text, its addresses, and what was not closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.addresses, self.ids, self.pictures, self.text = [], [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.addresses += [given[key] for key in ("src", "href") if key in given]
        self.ids += [given["id"]] if "id" in given else []
        self.pictures += [given["alt"]] if tag == "img" else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += f"{data} "


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    entries = (Entry("softmax"), Entry("vars-d", label="<b>vars & co</b>"))
    made = run_study(Settings(entries, "digits", (0, 1), SHORT, SMALL))
    rows = [
        {
            "attention": "softmax",
            "temperature": heat,
            "condition": "clean",
            "seed": seed,
            "accuracy": 90.0 * heat + seed,
        }
        for heat in (0.5, 1.0)
        for seed in (0, 1)
    ]
    return Comparison(made.table, {**made.configuration, "probes": ["solvers"]}, {"solvers": pd.DataFrame(rows)})


def test_a_page_needs_nothing_else(comparison):
    read = Reader(page(comparison, "mine"))
    assert read.open == []
    outside = [address for address in read.addresses if not address.startswith(("#", "data:image/svg+xml;base64,"))]
    assert outside == []
    assert {address[1:] for address in read.addresses if address.startswith("#")} <= set(read.ids)
    assert len(read.pictures) == len(comparison.plot())
    assert all(read.pictures)


def test_a_page_tells_all_that_decided_its_numbers(comparison):
    read = Reader(page(comparison, "mine"))
    assert "seeds 0, 1" in read.text
    assert json.dumps(comparison.configuration, indent=2) in read.text
    assert f"torch {comparison.configuration['environment']['torch']}" in read.text
    assert "<b>vars & co</b>" in read.text  # as text, never as a tag
    clean = comparison.summary().clean["softmax"]
    assert re.search(rf"softmax\s+{clean:#.3g}\s", read.text)
    # The further table: a mean over seeds for each temperature, which is a number too, but not one to be averaged.
    assert re.search(r"softmax\s+0\.500\s+clean\s+45\.5\s", read.text)
    assert re.search(r"softmax\s+1\.00\s+clean\s+90\.5\s", read.text)
    assert "Settings of its own" in read.text


def test_the_same_study_is_the_same_page(comparison):
    assert page(comparison, "mine") == page(comparison, "mine")


def test_the_command_writes_it_anew(comparison, tmp_path, capsys):
    comparison.save(tmp_path)
    (tmp_path / "report.html").write_text("old")
    assert main(["report", str(tmp_path)]) == 0
    assert str(tmp_path / "report.html") in capsys.readouterr().out
    assert (tmp_path / "report.html").read_text() == page(Comparison.read(tmp_path), tmp_path.name)
    assert main(["report", str(tmp_path / "none")]) == 1
    assert "table.csv is missing" in capsys.readouterr().err


def test_a_preset_names_its_command(tmp_path):
    made = Comparison.read(tmp_path.cwd() / "results" / "quick")
    assert "python -m unroll study --preset quick" in Reader(page(made, "quick")).text
    assert write_page(made, tmp_path).read_text().startswith("<!doctype html>")
