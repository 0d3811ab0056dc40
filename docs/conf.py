"""The book: README, notebooks as they are committed, results and the API. ``make book`` builds it, without a network.

The source folder is the repository itself, so that links between its documents are links between pages.
"""

import sys
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

project = "unroll"
author = "the unroll authors"
root_doc = "README"
html_title = "unroll"
html_theme = "sphinx_book_theme"
html_theme_options = {
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "use_download_button": False,
    "navbar_persistent": [],  # the sidebar has a search field already
}
html_extra_path = ["extra"]
html_static_path = ["static"]
html_css_files = ["book.css"]
html_copy_source = html_show_copyright = html_show_sphinx = False

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx-mathjax-offline",  # MathJax and its fonts lie beside the pages, none comes from the net
]
include_patterns = [
    "README.md",
    "notebooks/*.ipynb",
    "results/*.md",
    "results/*/README.md",
    "data/README.md",
    "benchmarks/README.md",
    "docs/*/*.md",
]
exclude_patterns = [".*", "build", "dist", "runs", "tests", "unroll"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # pages show the outputs that are committed
nb_ipywidgets_js = {}  # sliders need a live notebook; their scripts would come from the net

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_inherit_docstrings = False  # a method without words of its own is told of where it was declared
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autosummary_generate = False
napoleon_use_ivar = True
toc_object_entries_show_parents = "hide"
python_maximum_signature_line_length = 100


def append_contents(app: Sphinx, document: str, source: list[str]) -> None:
    """Give the front page, which is the README, the table of contents of the site."""
    if document == root_doc:
        source[0] += "\n" + (ROOT / "docs" / "contents.md").read_text()


def enter_folders(app: Sphinx, page: nodes.document) -> None:
    """Lead links to a folder of the repository to its README, or leave the bare name where the site has none."""
    for link in list(page.findall(addnodes.pending_xref)):
        folder = ((ROOT / app.env.docname).parent / link["reftarget"]).resolve()
        if link["reftype"] != "myst" or link.get("refdomain") or not folder.is_dir():
            continue
        readme = str(folder.relative_to(ROOT) / "README")
        if readme in app.env.found_docs:
            link.attributes |= {"refdomain": "doc", "reftarget": readme, "reftargetid": None}
        else:
            link.replace_self(link.children)


def write_defaults(
    app: Sphinx, kind: str, name: str, thing: object, options: object, signature: str | None, result: str | None
) -> tuple[str, str | None] | None:
    """Write ``...`` for a default that is made anew each time: ``<factory>`` would not be read as Python."""
    return (signature.replace("<factory>", "..."), result) if signature else None


def setup(app: Sphinx) -> None:
    app.connect("source-read", append_contents)
    app.connect("doctree-read", enter_folders)
    app.connect("autodoc-process-signature", write_defaults)
