"""Training, metrics, the comparison and its files, the command line."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors import safe_open
from tables import dictionary, values

import unroll
from unroll.__main__ import main
from unroll.attention import create
from unroll.problems import L1, Reconstruction
from unroll.registry import Registry
from unroll.solvers import FISTA, Unrolled
from unroll.study import (
    Comparison,
    Entry,
    NonFiniteLossError,
    RandomAffine,
    Recipe,
    Settings,
    accuracy,
    attention_layers,
    build,
    compare,
    convergence,
    corrupt,
    effective_tokens,
    experiment,
    fixed_point_report,
    heard_by,
    load,
    mixing,
    palette,
    presets,
    seed_everything,
    selection,
    settling,
    train,
)
from unroll.study.benchmark import run_benchmark
from unroll.study.files import write_aside
from unroll.study.report import BEGIN, END, differences, markdown, refresh, refreshed
from unroll.study.settings import Size
from unroll.study.timing import Shape, cost_table

ROOT = Path(__file__).parents[1]
SHORT = Recipe(epochs=1, batch=32)
SMALL = Size(dim=16, depth=1, heads=2)


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    entries = ["softmax", "vars-d", Entry("vars-d", {"solver": FISTA(3)}, "vars-d, FISTA")]
    return compare(entries, data="digits", seeds=2, recipe=SHORT, size=SMALL)


def small_model(name="softmax", seed=0):
    generator = seed_everything(seed)
    return build(Entry(name), load("digits"), SMALL), generator


def test_training_learns_and_is_repeatable():
    data = load("digits")
    runs = []
    for _ in range(2):
        model, generator = small_model()
        history = train(
            model, data.train, Recipe(epochs=8, batch=32, learning_rate=1e-2), generator, held_out=data.validation
        )
        runs.append((history.loss, history.accuracy, accuracy(model, data.validation)))
    assert runs[0] == runs[1]
    losses, accuracies, final = runs[0]
    assert losses[-1] < 0.8 * losses[0]
    assert accuracies[-1] == final > 20


def test_a_loss_that_is_not_finite_stops_the_training_and_keeps_the_weights():
    data, (model, generator) = load("digits"), small_model()
    spoiled = data.train.first(64)
    spoiled.images[40] = float("nan")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(NonFiniteLossError, match=r"loss is nan, its gradient nan, in epoch 1 at .* lower the learning"):
        train(model, spoiled, Recipe(epochs=1, batch=64, augment=RandomAffine(0, 0, 0)), generator)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_a_gradient_that_is_not_finite_stops_the_training_too():
    """The loss is finite, the gradient of a square root at zero is not."""

    class Spoilt(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(10))

        def forward(self, images):
            return self.weight.abs().sqrt().expand(len(images), 10)

    model = Spoilt()
    with pytest.raises(NonFiniteLossError, match=r"loss is 2.3, its gradient (nan|inf), in epoch 1"):
        train(model, load("digits").train, SHORT, torch.Generator())
    assert not model.weight.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, r"epochs must be a whole number >= 1, got 0"),
        ({"batch": 0}, r"batch must be a whole number >= 1, got 0"),
        ({"learning_rate": float("nan")}, r"learning_rate must be a finite number > 0, got nan"),
        ({"weight_decay": -1}, r"weight_decay must be a finite number >= 0, got -1"),
        ({"warmup": 2}, r"warmup must lie between 0 and 1, got 2"),
    ],
)
def test_bad_recipes(change, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**change)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (lambda: Settings(()), r"entries must name at least one attention, got none"),
        (lambda: Settings((Entry("softmax"), Entry("softmax"))), r"labels of their own, got \['softmax', 'softmax'\]"),
        (lambda: Settings((Entry("softmax"),), data="mnis"), r"unknown data set 'mnis'"),
        (lambda: Settings((Entry("softmax"),), seeds=()), r"seeds must hold at least one seed, got none"),
        (lambda: Settings((Entry("softmax"),), seeds=(-1,)), r"seed must be a whole number >= 0, got -1"),
        (lambda: Entry("sotfmax"), r"unknown attention 'sotfmax': did you mean 'softmax'\?"),
        (lambda: presets["quik"], r"unknown preset 'quik': did you mean 'quick'\?"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        settings()


def test_map_metrics_at_known_maps():
    uniform, alone = torch.full((2, 3, 5, 5), 0.2).double(), torch.eye(5).expand(2, 3, 5, 5).double()
    assert effective_tokens(uniform) == pytest.approx(5)
    assert effective_tokens(-3 * uniform) == pytest.approx(5)  # sign and size of a row do not matter
    assert effective_tokens(alone) == pytest.approx(1)
    assert mixing(uniform) == pytest.approx(0.8)
    assert mixing(alone) == 0


def test_fixed_point_report_against_the_definition():
    layer = create("vars-d", dim=16, heads=2, weight=0.3).double()
    x = torch.randn(3, 9, 16, dtype=torch.float64)
    report = fixed_point_report(layer, x)
    problem, _ = layer.bind(x)
    code, target = Unrolled(5)(problem).value, Unrolled(20_000)(problem).value
    off = (code - target).flatten(1).norm(dim=1) / target.flatten(1).norm(dim=1)
    assert report.distance == pytest.approx(off.mean().item(), abs=1e-6)
    assert report.zeros == pytest.approx((code == 0).double().mean().item())
    curve = convergence(layer, x, steps=50)
    assert len(curve) == 51
    assert curve[5].item() == pytest.approx(report.residual)
    assert curve[50] < curve[0]


def test_a_layer_that_does_not_settle_has_no_distance():
    """The released shrinkage jumps at zero, so its steps need not end anywhere."""
    torch.manual_seed(0)
    layer = create("vars-d", dim=64, heads=4, published=True)
    report = fixed_point_report(layer, torch.randn(8, 49, 64))
    assert report.distance is None
    assert report.residual > 1e-2


def test_the_residual_curve_is_that_of_the_layers_own_solver():
    torch.manual_seed(0)
    layer, x = create("vars-d", dim=64, heads=4, temperature=1.0), torch.randn(2, 49, 64)
    plain, fast = convergence(layer, x, 60), convergence(layer.with_solver(FISTA(5, tol=1e-3)), x, 60)
    assert fast[60] < 0.1 * plain[60]
    assert len(fast) == len(plain) == 61


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: compare("softmax"), r"attentions must be a list of names, got 'softmax': write \['softmax'\]"),
        (lambda: compare([Entry("vars-d", {"wieght": 1})], data="digits"), r"unknown option of vars-d 'wieght'"),
        (
            lambda: compare([Entry("vars-d", {"weight": -1})], data="digits"),
            r"weight \(lambda\) must be a finite number",
        ),
        (lambda: compare(["softmax"], data="digits", size=Size(dim=-1)), r"dim must be a whole number >= 1, got -1"),
        (lambda: cost_table(lambda shape: {}, rounds=0), r"rounds must be a whole number >= 1, got 0"),
        (
            lambda: heard_by(small_model()[0], load("digits").test.images[0], 0, Unrolled(1)),
            r"model must have iterative",
        ),
        (
            lambda: heard_by(small_model("vars-d")[0], load("digits").test.images[0], 16, Unrolled(1)),
            r"between 0 and 15",
        ),
    ],
)
def test_what_is_wrong_shows_before_any_training(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_pictures_of_settling_maps():
    model, _ = small_model("vars-d")
    image = load("digits").test.images[0]
    row, solution = heard_by(model, image, 5, Unrolled(7))
    assert row.shape == (4, 4)
    assert solution.trace.nfe[-1] == 7
    figure = settling(model, image, 5, steps=(1, 7))
    assert [axis.get_title() for axis in figure.axes] == ["image", "1 step", "7 steps"]


def test_comparison_table_is_tidy_and_complete(comparison):
    table = comparison.table
    assert list(table.columns) == ["attention", "seed", "measure", "condition", "level", "value"]
    assert not table.duplicated(["attention", "seed", "measure", "condition", "level"]).any()
    assert not table.value.isna().any()
    per_run = table[table.measure == "accuracy"].groupby(["attention", "seed"]).size()
    assert (per_run == 1 + 2 * 5).all()
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


def test_colours_belong_to_attentions():
    assert palette(["vars-d", "mine"])["vars-d"] == palette(["softmax", "vars-d"])["vars-d"]
    assert len(set(palette([*unroll.names(), "mine", "yours"]).values())) == len(unroll.names()) + 2


def test_attention_layers_yield_the_trained_inputs():
    model, _ = small_model()
    (layer, x), *rest = attention_layers(model, load("digits").test, images=7)
    assert not rest
    assert layer is model.blocks[0].attention
    assert x.shape == (7, 16, 16)


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
    assert table["ratio to softmax"][table.layer == "softmax"].eq(1).all()
    assert set(table.layer) == {"softmax", "(bare projections)"}
    with pytest.raises(ValueError, match=r"layers must hold 'softmax', the yardstick"):
        cost_table(lambda s: {"kernel": create("kernel", dim=8, heads=2)}, shapes=[shape])


def test_benchmark_writes_its_table_and_environment(tmp_path):
    table = run_benchmark(tmp_path, rounds=1, shapes=[Shape(1, 16, 8, 2)])
    assert set(table.layer) == {*unroll.names(), "vars-d, published", "(bare projections)"}
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "attention_cost.csv"), table, rtol=1e-3)
    assert json.loads((tmp_path / "attention_cost.json").read_text())["rounds"] == 1


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


def test_readme_marks(comparison, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    refresh(readme, comparison)
    text = readme.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert markdown(comparison) in text
    assert "old" not in text
    with pytest.raises(ValueError, match=r"README must hold the marks"):
        refreshed("no marks", comparison)


def test_the_readme_shows_the_committed_results():
    text = (ROOT / "README.md").read_text()
    assert refreshed(text, Comparison.read(ROOT / "results" / "foundation")) == text


@pytest.mark.parametrize("name", presets.names())
def test_committed_results_are_those_of_their_preset(name):
    made = Comparison.read(ROOT / "results" / name)
    wanted = json.loads(json.dumps(presets[name].to_dict()))
    assert {key: made.configuration[key] for key in wanted} == wanted
    assert list(made.summary().index) == [entry.label for entry in presets[name].entries]
    assert set(made.table.seed) == set(presets[name].seeds)
    assert made.plot()


@pytest.mark.parametrize("command", [[], ["study"], ["train"], ["select"], ["data"], ["bench"], ["readme"]])
def test_help_is_readable(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*command, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: python -m unroll")
    assert "None" not in text
    assert max(map(len, text.splitlines())) <= 100


def test_changed_presets_do_not_overwrite_results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["study", "--attentions", "softmax", "--data", "digits", "--epochs", "1"]
    assert main(command) == 0
    assert (tmp_path / "runs" / "quick" / "table.csv").is_file()
    assert not (tmp_path / "results").exists()


def test_study_command(tmp_path, capsys):
    out = tmp_path / "out"
    command = [
        "study",
        "--attentions",
        "kernel",
        "--data",
        "digits",
        "--epochs",
        "1",
        "--seeds",
        "1",
        "--out",
        str(out),
    ]
    assert main(command) == 0
    assert "a demonstration: one seed carries no verdict" in capsys.readouterr().out
    assert Comparison.read(out).configuration["recipe"]["epochs"] == 1


def test_train_command_keeps_weights_that_load(tmp_path, capsys):
    path = tmp_path / "runs" / "model.safetensors"
    assert main(["train", "softmax", "--data", "digits", "--epochs", "1", "--out", str(path)]) == 0
    assert "validation accuracy" in capsys.readouterr().out
    with safe_open(path, framework="pt") as file:
        made = json.loads(file.metadata()["configuration"])
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert made["entry"]["attention"] == "softmax"
    model = build(Entry("softmax"), load(made["data"]), Size(**made["size"]))
    model.load_state_dict(weights)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["train", "sofmax"], "unroll: unknown attention 'sofmax': did you mean 'softmax'?"),
        (["select", "vars"], "unroll: unknown selection 'vars': did you mean 'vars-d'?"),
        (["data", "mnist"], "unroll: unknown data set 'mnist': did you mean 'mnist5k'?"),
        (["study", "--preset", "slow"], "unroll: unknown preset 'slow'"),
        (["study", "--epochs", "0"], "unroll: epochs must be a whole number >= 1, got 0"),
        (["readme", "--results", "nowhere"], "is missing: 'make study' writes results/quick"),
    ],
)
def test_wrong_commands_get_one_line(command, message, capsys):
    assert main(command) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_selection_is_judged_on_the_validation_split(tmp_path, monkeypatch):
    judged = []
    learnt = []
    monkeypatch.setattr(experiment, "corrupt", lambda exam, *how: judged.append(len(exam)) or corrupt(exam, *how))
    taught = lambda model, lessons, *how, **more: learnt.append(len(lessons)) or train(model, lessons, *how, **more)  # noqa: E731
    monkeypatch.setattr(experiment, "train", taught)
    tiny = Registry("selection")
    tiny.register("tiny")({"one": (Entry("softmax"), SHORT), "other": (Entry("kernel"), SHORT)})
    monkeypatch.setattr(selection, "selections", tiny)
    table = selection.select("tiny", tmp_path, data="digits")
    assert table.candidate.tolist() == ["one", "other"]
    assert set(judged) == {len(load("digits").validation)}
    assert set(learnt) == {len(load("digits").train)}
    written = pd.read_csv(tmp_path / "tiny.csv")
    assert written.clean.tolist() == pytest.approx(table.clean.astype(float).tolist(), rel=1e-3)


def test_data_command(capsys):
    assert main(["data", "digits"]) == 0
    assert "digits: 1 x 8 x 8 pixels, 10 classes, 1078 train" in capsys.readouterr().out


def test_residual_of_a_batch_is_per_sample():
    f = dictionary()
    p = Reconstruction(f.mT @ f, f.mT @ values(f), L1(0.1))
    assert p.residual(p.start(), p.step(p.start(), 0)).shape == (3,)
