"""The house itself: layers, requirements, names, sizes of files."""

import ast
import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

import unroll

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "unroll").rglob("*.py"))

# The one place that reads pickles of others, through an unpickler that runs nothing.
RESTRICTED = ROOT / "unroll" / "study" / "sets" / "batches.py"

# A wing may import from wings below it (smaller numbers) and from itself; two wings of one number do not meet.
LEVELS = {
    "registry": 0,
    "validate": 1,
    "verdicts": 1,
    "described": 1,
    "remembering": 1,
    "contracts": 2,
    "problems": 3,
    "solvers": 3,
    "attention": 4,
    "models": 5,
    "study": 6,
    "__init__": 7,
    "__main__": 8,
}
# What the same package is called by conda.
CONDA = {
    "pytorch": "torch",
    "matplotlib-base": "matplotlib",
    "seaborn-base": "seaborn",
    "playwright-python": "playwright",
}


def wing(module: Path) -> str:
    return module.relative_to(ROOT / "unroll").parts[0].removesuffix(".py")


def imported_wings(module: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(module.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            names = [f"{node.module}.{alias.name}" if node.module == "unroll" else node.module for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "unroll":
                found.add(parts[1] if len(parts) > 1 and parts[1] in LEVELS else "__init__")
    return found


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_downwards(module):
    here = wing(module)
    for other in imported_wings(module) - {here}:
        assert LEVELS[other] < LEVELS[here], f"{here} imports {other}"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_short_and_keep_the_rules(module):
    text = module.read_text()
    assert len(text.splitlines()) <= 250
    assert not re.search(r"\.cuda\(\)|torch\.load\(|TODO|FIXME|pickle\.loads?\(", text)
    if module != RESTRICTED:
        assert "pickle" not in text.replace("allow_pickle=False", "")


def test_public_names():
    assert sorted(unroll.__all__) == sorted(set(unroll.__all__))
    assert 20 <= len(unroll.__all__) <= 30
    for name in unroll.__all__:
        assert (getattr(unroll, name).__doc__ or "").strip(), name


def requirements() -> dict[str, dict[str, Requirement]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = {"core": project["dependencies"], **project["optional-dependencies"]}
    return {group: {(r := Requirement(line)).name: r for line in lines} for group, lines in groups.items()}


def test_environment_yml_asks_for_what_pyproject_asks_for():
    *listed, by_pip = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    *rest, package = by_pip["pip"]
    assert package == "-e ."  # or nothing could import unroll on Binder
    asked = [line for line in listed if line != "pip"] + rest
    python = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    (version,) = (line.removeprefix("python=") for line in asked if line.startswith("python="))
    assert Version(version) in SpecifierSet(python)
    asked.remove(f"python={version}")  # conda's way to name one version
    conda = {CONDA.get(r.name, r.name): str(r.specifier) for r in map(Requirement, asked)}
    pip = {}
    for group in requirements().values():
        pip |= {name: str(r.specifier) for name, r in group.items()}
    assert conda == pip


def test_the_citation_names_this_version():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (cited["version"], cited["license"]) == (project["version"], project["license"])


def test_constraints_satisfy_every_requirement():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.lower().split("==") for line in lines if line and not line.startswith("#"))
    for group in requirements().values():
        for name, requirement in group.items():
            assert Version(pins[name.lower()]) in requirement.specifier, name


NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_notebooks_read_well_on_the_web(path):
    assert path.stat().st_size < 1_000_000
    text = path.read_text()
    notebook = json.loads(text)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["execution_count"] for cell in code), "executed from top to bottom"
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert outputs
    assert not [output for output in outputs if output["output_type"] in ("error", "stream") and "name" not in output]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert "widget-state" not in text
    assert not re.search(r"/(home|root|tmp|Users)/|C:\\\\", text)


def test_the_data_readme_states_the_checksums():
    from hashlib import sha256

    text = (ROOT / "data" / "README.md").read_text()
    for path in sorted((ROOT / "data").glob("*.npz")):
        assert sha256(path.read_bytes()).hexdigest() in text, path.name


def test_what_the_readme_points_to_is_there():
    places = re.findall(r"\]\((?!http)([^)#]+)", (ROOT / "README.md").read_text())
    assert len(places) > 20
    assert [place for place in places if not (ROOT / place).exists()] == []


def test_the_readme_examples_run(capsys):
    from unroll.attention.registry import attentions

    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert len(blocks) == 3
    try:
        for block in blocks:
            exec(compile(block, "README.md", "exec"), {"__name__": "readme"})  # noqa: S102
    finally:
        attentions._entries.pop("ridge", None)
    assert "torch.Size([8, 49, 64]) torch.Size([8, 49, 64])" in capsys.readouterr().out
