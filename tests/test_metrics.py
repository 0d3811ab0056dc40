"""What is measured of maps, codes and layers, and the pictures of it."""

import pytest
import torch
from tables import dictionary, small_model, values

from unroll.attention import create
from unroll.problems import L1, Reconstruction
from unroll.solvers import FISTA, Unrolled
from unroll.study import (
    Entry,
    attention_layers,
    compare,
    convergence,
    effective_tokens,
    fixed_point_report,
    heard_by,
    load,
    mixing,
    settling,
)
from unroll.study.entries import Size
from unroll.study.timing import cost_table


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


def test_attention_layers_yield_the_trained_inputs():
    model, _ = small_model()
    (layer, x), *rest = attention_layers(model, load("digits").test, images=7)
    assert not rest
    assert layer is model.blocks[0].attention
    assert x.shape == (7, 16, 16)


def test_residual_of_a_batch_is_per_sample():
    f = dictionary()
    p = Reconstruction(f.mT @ f, f.mT @ values(f), L1(0.1))
    assert p.residual(p.start(), p.step(p.start(), 0)).shape == (3,)
