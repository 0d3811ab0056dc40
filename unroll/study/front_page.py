"""The README's picture: a small network is trained, and one of its patches is watched while the solver runs."""

from matplotlib.figure import Figure

from unroll.study.data import load
from unroll.study.entries import Entry, Size, build
from unroll.study.maps import settling
from unroll.study.processes import pick_device
from unroll.study.recipe import Recipe
from unroll.study.training import seed_everything, train

DIGIT, PATCH = 3, 24


def picture(epochs: int = 12) -> Figure:
    """Train two blocks of ``vars-d`` on mnist5k and draw what a patch of a test digit hears, step by step."""
    data = load("mnist5k")
    generator = seed_everything(0)
    model = build(Entry("vars-d"), data, Size(depth=2)).to(pick_device())
    train(model, data.train, Recipe(epochs=epochs), generator, label="the README's picture")
    return settling(model, data.test.images[DIGIT], PATCH)
