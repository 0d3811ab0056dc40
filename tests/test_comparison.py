"""The comparison: its table, its files, its figures, and the results that are committed."""

import json
from pathlib import Path

import pandas as pd
import pytest
from tables import SHORT, SMALL

import unroll
from unroll.attention import create
from unroll.solvers import FISTA
from unroll.study import (
    COMMON,
    SEVERITIES,
    Comparison,
    Entry,
    Settings,
    compare,
    corruptions,
    figures,
    palette,
    presets,
    run_study,
)
from unroll.study.benchmark import cost_figure, run_benchmark
from unroll.study.files import write_aside
from unroll.study.report import BEGIN, END, brief, differences, markdown, refresh, refreshed
from unroll.study.timing import Shape, cost_table

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    entries = ["softmax", "vars-d", Entry("vars-d", {"solver": FISTA(3)}, "vars-d, FISTA")]
    return compare(entries, data="digits", seeds=2, recipe=SHORT, size=SMALL)


def test_comparison_table_is_tidy_and_complete(comparison):
    table = comparison.table
    assert list(table.columns) == ["attention", "seed", "measure", "condition", "level", "value"]
    assert not table.duplicated(["attention", "seed", "measure", "condition", "level"]).any()
    assert not table.value.isna().any()
    per_run = table[table.measure == "accuracy"].groupby(["attention", "seed"]).size()
    assert (per_run == 1 + 3 * 5).all()
    assert len(per_run) == 6
    assert set(table[table.measure == "exact zeros"].attention) == {"vars-d", "vars-d, FISTA"}
    summary = comparison.summary()
    assert list(summary.index) == ["softmax", "vars-d", "vars-d, FISTA"]
    assert summary.clean.between(0, 100).all()
    assert summary.seeds.eq(2).all()


def test_summary_intervals_are_students():
    rows = [
        {"attention": "a", "seed": seed, "measure": "accuracy", "condition": "clean", "level": 0, "value": value}
        for seed, value in enumerate([90.0, 92.0, 94.0])
    ]
    row = Comparison(pd.DataFrame(rows), {}).summary().loc["a"]
    assert row.clean == 92
    assert row["± clean"] == pytest.approx(4.302653 * 2 / 3**0.5, rel=1e-6)


def test_comparison_survives_its_files(comparison, tmp_path):
    comparison.save(tmp_path / "deep" / "folder")
    folder = tmp_path / "deep" / "folder"
    names = {"table.csv", "configuration.json", "convergence.png", "sparsity.png", "robustness.png"}
    assert {path.name for path in folder.iterdir()} == names
    again = Comparison.read(folder)
    pd.testing.assert_frame_equal(again.table, comparison.table, rtol=1e-5)
    assert again.configuration == json.loads(json.dumps(comparison.configuration))
    assert any("count=8" in line for line in again.configuration["layers"]["vars-d"])
    assert again.configuration["entries"][2]["options"] == {"solver": FISTA(3).to_dict()}
    with pytest.raises(FileNotFoundError, match=r"table.csv is missing: 'make study' writes results/quick"):
        Comparison.read(tmp_path)


def test_figures_have_labels_units_and_a_legend(comparison):
    figures = comparison.plot()
    assert set(figures) == {"convergence", "sparsity", "robustness"}
    for figure in figures.values():
        assert all(axis.get_xlabel() and axis.get_ylabel() and axis.get_title() for axis in figure.axes)
        assert [text.get_text() for text in figure.legends[0].get_texts()] == ["softmax", "vars-d", "vars-d, FISTA"]


def test_a_study_chooses_its_conditions():
    entries = (Entry("softmax"), Entry("softmax", label="softmax, no positions", positions=False))
    made = run_study(Settings(entries, "digits", (0,), SHORT, SMALL, conditions=("shift",)))
    accuracy = made.table[made.table.measure == "accuracy"]
    assert accuracy.groupby("condition").size().to_dict() == {"clean": 2, "shift": 2 * 5}
    drawn = made.plot()
    assert {name: len(figure.axes) for name, figure in drawn.items()} == {
        "convergence": 1,
        "sparsity": 2,
        "robustness": 1,
    }
    (panel,) = drawn["robustness"].axes
    assert panel.get_title() == "Shift"
    assert panel.get_xlabel() == "shift (pixels), mean over eight directions"
    head, _, *rows = markdown(made).splitlines()
    assert (
        head == "| attention | clean (%) | shift (%) | tokens heard |"
    )  # no attention has a code, so no column either
    assert [row.count("|") for row in rows[:2]] == [5, 5]
    assert made.configuration["conditions"] == ["shift"]


def test_common_corruptions_have_a_figure_of_their_own(comparison):
    told = {(name, level): 10.0 * level for name in COMMON for level in SEVERITIES} | {("shift", 1): 7.0}
    rows = [
        {"attention": who, "seed": 0, "measure": "accuracy", "condition": name, "level": level, "value": value + index}
        for index, who in enumerate(comparison.table.attention.unique())
        for (name, level), value in told.items()
    ]
    others = comparison.table[comparison.table.condition != "gaussian noise"]
    drawn = Comparison(pd.concat([others, pd.DataFrame(rows)]), {}).plot()
    assert [axis.get_title() for axis in drawn["robustness"].axes] == [
        *("Gaussian noise", "Token occlusion", "Shift", "FGSM")  # one stands for all common ones
    ]
    overview, _ = drawn["corruptions"].axes
    assert overview.get_xlabel()
    assert overview.get_title()
    assert [text.get_text() for text in overview.get_xticklabels()] == ["clean", "mean of all 15", *COMMON]
    assert [text.get_text() for text in overview.get_yticklabels()] == ["softmax", "vars-d", "vars-d, FISTA"]
    numbers = [int(text.get_text()) for text in overview.texts]
    assert [numbers[17 * row + 1 : 17 * (row + 1)] for row in range(3)] == [16 * [30 + row] for row in range(3)]


def test_many_conditions_are_drawn_in_rows(comparison):
    clean = comparison.table[comparison.table.condition == "clean"]
    table = pd.concat([clean, *(clean.assign(condition=name, level=1) for name in COMMON[:7])])
    panels = figures.robustness(table).axes
    assert [axis.get_title() for axis in panels] == [name.capitalize() for name in corruptions if name in COMMON[:7]]
    assert [axis.get_subplotspec().rowspan.start for axis in panels] == [0, 0, 0, 0, 1, 1, 1]


def test_a_legend_that_is_too_long_gets_rows(comparison):
    table = comparison.table
    names = {who: f"{who} with a label of quite some length" for who in table.attention.unique()}
    for figure in Comparison(table.replace({"attention": names}), {}).plot().values():
        (legend,) = figure.legends
        assert [text.get_text() for text in legend.get_texts()] == list(names.values())
        assert legend.get_window_extent().width <= figure.bbox.width


def test_colours_belong_to_attentions():
    assert palette(["vars-d", "mine"])["vars-d"] == palette(["softmax", "vars-d"])["vars-d"]
    assert len(set(palette([*unroll.names(), "mine", "yours"]).values())) == len(unroll.names()) + 2


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")

    def fails(aside):
        aside.write_text("half of")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left on device"):
        write_aside(path, fails)
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]
    assert path.read_text() == "old"


def test_cost_table_reports_ratios():
    shape = Shape(1, 9, 8, 2)
    table = cost_table(lambda s: {"softmax": create("softmax", dim=s.dim, heads=s.heads)}, shapes=[shape], rounds=2)
    assert table["share of matmul bound"].between(0, 2).all()
    assert table["ratio to softmax"][table.layer == "softmax"].eq(1).all()
    assert set(table.layer) == {"softmax", "(bare projections)"}
    with pytest.raises(ValueError, match=r"layers must hold 'softmax', the yardstick"):
        cost_table(lambda s: {"kernel": create("kernel", dim=8, heads=2)}, shapes=[shape])


def test_benchmark_writes_its_table_and_environment(tmp_path):
    table = run_benchmark(tmp_path, rounds=1, shapes=[Shape(1, 16, 8, 2)], tokens=(16, 32))
    grown = pd.read_csv(tmp_path / "growth.csv")
    assert grown["kept a token, relative"].between(0.5, 1).all()  # what does not grow weighs less on more tokens
    assert set(table.layer) == {*unroll.names(), "vars-d, published", "(bare projections)"}
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "attention_cost.csv"), table, rtol=1e-3)
    assert json.loads((tmp_path / "attention_cost.json").read_text())["rounds"] == 1
    assert (tmp_path / "attention_cost.png").stat().st_size > 1000


def test_more_tokens_take_more_memory_where_cost_is_quadratic():
    layers = {"softmax": create("softmax", dim=8, heads=2), "evolving": create("evolving", dim=8, heads=2)}
    table = cost_table(lambda shape: layers, shapes=[Shape(1, n, 8, 2) for n in (16, 256)], rounds=1)
    peaks = table.pivot_table(index="tokens", columns="layer", values="peak, ratio to softmax")
    assert peaks.softmax.eq(1).all()
    assert peaks.evolving[256] > 2 * peaks.evolving[16] > 2
    drawn = cost_figure(table)
    assert [axis.get_title() for axis in drawn.axes] == ["Time, forward and backward", "Memory at its peak"]
    assert all(axis.get_xlabel() and axis.get_ylabel() for axis in drawn.axes)
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == ["softmax", "evolving"]


def test_differences_are_paired_by_seed():
    values = {("softmax", 0): 90.0, ("softmax", 1): 80.0, ("kernel", 0): 91.0, ("kernel", 1): 84.0}
    rows = [
        {"attention": who, "seed": seed, "measure": "accuracy", "condition": condition, "level": 0, "value": value}
        for (who, seed), value in values.items()
        for condition in ("clean", "gaussian noise", "token occlusion")
    ]
    *_, line = differences(Comparison(pd.DataFrame(rows), {}))
    assert line.startswith("- `kernel`: clean +2.5 (+1.0 to +4.0), gaussian noise +2.5")
    assert differences(Comparison(pd.DataFrame([row for row in rows if row["seed"] == 0]), {})) == []


def test_five_seeds_carry_a_verdict():
    gains = {"better": [1.0, 2.0, 3.0, 4.0, 5.0], "alike": [-2.0, -1.0, 0.0, 1.0, 2.2]}
    rows = [
        {"attention": who, "seed": seed, "measure": "accuracy", "condition": "clean", "level": 0, "value": 90 + gain}
        for who, by_seed in {"softmax": [0.0] * 5, **gains}.items()
        for seed, gain in enumerate(by_seed)
    ]
    *_, better, alike = differences(Comparison(pd.DataFrame(rows), {}))
    assert better == "- `better`: clean +3.0 (+1.0 to +5.0)"  # 3 -+ 2.776 * 1.581 / sqrt(5)
    assert alike == "- `alike`: clean +0.04 (-2.0 to +2.1, no difference)"  # one digit would hide the sign


def test_readme_marks(comparison, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    refresh(readme, comparison)
    text = readme.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert brief(comparison) in text
    assert "old" not in text
    with pytest.raises(ValueError, match=r"README must hold the marks"):
        refreshed("no marks", comparison)


def test_the_readme_shows_the_committed_results():
    text = (ROOT / "README.md").read_text()
    assert refreshed(text, Comparison.read(ROOT / "results" / "laptop")) == text


AWAITED = ("gpu", "imagenet")  # their results are not there yet


@pytest.mark.parametrize("name", presets.names())
def test_committed_results_are_those_of_their_preset(name):
    if name in AWAITED and not (ROOT / "results" / name).is_dir():
        pytest.skip(f"results/{name} are not there yet: python -m unroll study --preset {name}")
    made = Comparison.read(ROOT / "results" / name)
    wanted = json.loads(json.dumps(presets[name].to_dict()))
    assert {key: made.configuration[key] for key in wanted} == wanted
    assert list(made.summary().index) == [entry.label for entry in presets[name].entries]
    assert set(made.table.seed) == set(presets[name].seeds)
    assert made.plot()
