"""Settings of the whole test run."""

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import matplotlib as mpl
import pytest
import torch
from matplotlib import pyplot as plt

from unroll.attention import attentions

mpl.use("Agg")
torch.set_num_threads(1)  # on the small tensors of the tests, threads only get in each other's way
# Examples are the same in every run, and a slow machine fails none of them.
hypothesis.settings.register_profile("unroll", derandomize=True, deadline=None, max_examples=30)
hypothesis.settings.load_profile("unroll")


def pytest_addoption(parser: pytest.Parser) -> None:
    golden = Path(__file__).parent / "tests" / "golden"
    parser.addoption(
        "--golden-dir", type=Path, default=golden, help="folder of reference numbers (.npz) for tests/parity"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the notebooks first: they are the longest file, and one process would have them last and alone."""
    items.sort(key=lambda item: item.path.name != "test_notebooks.py")


@pytest.fixture(autouse=True)
def _seeded(doctest_namespace: dict[str, object]) -> None:
    """Every test starts from the same random state; examples in docstrings know torch."""
    torch.manual_seed(0)
    doctest_namespace["torch"] = torch


@pytest.fixture(autouse=True)
def _attentions_restored() -> Iterator[None]:
    """No test leaves an attention behind that it registered."""
    known = dict(attentions._entries)
    yield
    attentions._entries.clear()
    attentions._entries.update(known)


@pytest.fixture(autouse=True)
def _figures_closed() -> Iterator[None]:
    """No test leaves a figure open."""
    yield
    plt.close("all")
