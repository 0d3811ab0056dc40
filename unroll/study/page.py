"""The report of a study: tables, figures and all that decided them in one HTML file that needs nothing else."""

import base64
import io
import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path

import jinja2
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from unroll.study.compare import CONFIGURATION, TABLE, Comparison
from unroll.study.files import write_aside
from unroll.study.presets import command_for
from unroll.study.report import behind, describe, gains

PAGE = "report.html"
# What a reader looks for in each figure: curves where attentions are few, dots and colours where they are many.
CAPTIONS = {
    "convergence": "Left: how the networks learn. Right: how much the next step would still move the code of each "
    "trained layer that has one, where the network stops and when it is run on; less is nearer to a fixed point.",
    "sparsity": "How many tokens one token hears, how much of its map comes from others, and how much of its code is "
    "exactly zero.",
    "robustness": "Accuracy as conditions get harder, from the clean images on the left of each panel; of many "
    "attentions, what each gains or loses against softmax.",
    "maps": "How much a layer's map resembles that of the layer before and that of layer 1, and of what rank it is.",
    "corruptions": "Accuracy under each of the fifteen common corruptions.",
}


def page(comparison: Comparison, name: str) -> str:
    """Return the report of a comparison, called ``name``, as HTML; figures lie inside it."""
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True).from_string(
        files("unroll.study").joinpath("page.html").read_text()
    )
    made = comparison.configuration
    return template.render(
        name=name,
        command=command_for(made),
        told=describe(comparison),
        summary=_shown(comparison.summary().dropna(axis="columns", how="all").reset_index()),
        behind=behind(comparison),
        gains=_shown(gains(comparison).rename_axis("attention").reset_index()),
        figures=[
            {"name": title, "caption": CAPTIONS[title], "address": _drawn(figure)}
            for title, figure in comparison.plot().items()
        ],
        further={title: _shown(table) for title, table in _averaged(comparison.further)},
        seeds=", ".join(map(str, made["seeds"])),
        environment=[made["environment"], *made.get("trained in", ())],
        configuration=json.dumps(made, indent=2),
        files=[TABLE, CONFIGURATION, *(f"{title}.csv" for title in comparison.further)],
    )


def write_page(comparison: Comparison, folder: Path) -> Path:
    """Write the report of a comparison into its folder in one move, and return its path."""
    text = page(comparison, folder.name)
    write_aside(folder / PAGE, lambda path: path.write_text(text, encoding="utf-8"))
    return folder / PAGE


def _averaged(further: Mapping[str, pd.DataFrame]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each further table with accuracies as means over seeds, a row for each of its other columns."""
    for title, table in further.items():
        asked = [column for column in table if column not in ("seed", "accuracy")]
        yield title, table.groupby(asked, sort=False, dropna=False).accuracy.mean().reset_index()


def _shown(table: pd.DataFrame) -> dict[str, list]:
    """Return a table as its head and its rows of text; numbers to three digits at least."""
    rows = [[_text(value) for value in row] for row in table.itertuples(index=False)]
    return {"head": list(table.columns), "rows": rows}


def _text(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return "–" if pd.isna(value) else f"{value:#.3g}" if abs(value) < 100 else f"{value:,.0f}"


def _drawn(figure: Figure) -> str:
    """Return a figure as the address of a picture that lies in the page itself, the same bytes for the same figure."""
    with io.BytesIO() as file, plt.rc_context({"svg.hashsalt": "unroll"}):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
        plt.close(figure)
        return f"data:image/svg+xml;base64,{base64.b64encode(file.getvalue()).decode()}"
