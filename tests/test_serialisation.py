"""What a thing was made with, as plain values and back; and what it says it is."""

import json

import pytest
import torch
from tables import PROBLEMS, VARIANTS, make

from unroll import attention, problems, solvers
from unroll.attention import Carry, SoftmaxAttention, VarsD, attentions, create
from unroll.problems import L1, LCA, ElasticNet, Hopfield, Reconstruction, penalties
from unroll.solvers import FISTA, Anderson, Implicit, Unrolled
from unroll.study import Entry, load


def again(settings):
    """Return settings after a journey through a file."""
    return json.loads(json.dumps(settings))


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_attention_can_be_made_again(variant):
    layer = make(variant).eval()
    other = attention.from_dict(again(layer.to_dict()))
    other.load_state_dict(layer.state_dict())
    x = torch.randn(2, 9, 12)
    torch.testing.assert_close(other.eval()(x), layer(x), atol=0, rtol=0)
    assert other.to_dict() == again(layer.to_dict()) == again(other.to_dict())
    assert repr(other) == repr(layer)
    assert other.traits == layer.traits


def test_settings_are_those_of_the_outermost_constructor():
    """By position, by name, from the class or by the registry: what was given, and no more."""
    expected = {"name": "vars-d", "dim": 12, "heads": 3, "weight": 0.2}
    assert VarsD(12, 3, weight=0.2).to_dict() == VarsD(heads=3, dim=12, weight=0.2).to_dict() == expected
    assert create("vars-d", dim=12, heads=3, weight=0.2).to_dict() == expected
    solver = Implicit(FISTA(7, tol=1e-3))
    swapped = VarsD(12, 3, weight=0.2).with_solver(solver)
    assert swapped.to_dict() == {**expected, "solver": solver.to_dict()}
    assert attention.from_dict(again(swapped.to_dict())).solver == solver


def test_a_class_without_a_constructor_or_a_name():
    class Nameless(SoftmaxAttention):
        pass

    layer = Nameless(12, 3)
    assert layer.settings == {"dim": 12, "heads": 3}
    with pytest.raises(ValueError, match=r"Nameless is not a registered attention"):
        layer.to_dict()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "softmx", "dim": 12, "heads": 3}, r"unknown attention 'softmx': did you mean 'softmax'\?"),
        (
            {"name": "vars-d", "dim": 12, "heads": 3, "wight": 1},
            r"unknown option of vars-d 'wight': did you mean 'weight'",
        ),
        ({"name": "vars-d", "dim": 12}, r"settings .* do not describe an attention: .*heads"),
        ({"name": "vars-d", "dim": 12, "heads": 3, "solver": {"name": "fsta"}}, r"unknown solver 'fsta'"),
    ],
)
def test_bad_attention_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        attention.from_dict(settings)


@pytest.mark.parametrize("name", penalties.names())
def test_every_penalty_can_be_made_again(name):
    penalty = penalties[name](0.25)
    other = problems.from_dict(again(penalty.to_dict()))
    assert type(other) is type(penalty)
    assert other.to_dict() == penalty.to_dict()
    assert penalty.to_dict()["name"] == name


def test_bad_penalty_settings():
    assert ElasticNet(0.1, ratio=0.25).to_dict() == {"name": "elastic-net", "weight": 0.1, "ratio": 0.25}
    with pytest.raises(ValueError, match=r"unknown penalty 'l2': known: elastic-net"):
        problems.from_dict({"name": "l2", "weight": 1})
    with pytest.raises(ValueError, match=r"settings .* do not fit L1: .*ratio"):
        problems.from_dict({"name": "l1", "weight": 1, "ratio": 0.5})
    with pytest.raises(
        ValueError, match=r"weight \(lambda\) must be a number to be written down, got L1\(weight=float32\[3"
    ):
        L1(torch.ones(3, 1, 1)).to_dict()


def test_entries_nest_solvers():
    entry = Entry("vars-d", {"solver": Implicit(Anderson(9)), "weight": 0.2}, "ours")
    assert Entry.from_dict(again(entry.to_dict())) == entry
    assert entry.to_dict()["options"] == solvers.to_plain(entry.options)


def test_problems_say_what_they_are():
    tensors = "gram=float64[3, 2, 6, 6], correlation=float64[3, 2, 6, 4]"
    shown = f"{tensors}, penalty=L1(weight=0.3), origin='zero', symmetric=True"
    problem = PROBLEMS["orthonormal-l1"]().problem
    assert repr(problem) == f"Reconstruction({shown})"
    assert repr(LCA(problem)) == f"LCA(reconstruction=Reconstruction({shown}))"
    hopfield = Hopfield(torch.zeros(1, 3, 4), torch.zeros(1, 2, 4), beta=2.0)
    assert repr(hopfield) == "Hopfield(patterns=float32[1, 3, 4], queries=float32[1, 2, 4], beta=2.0)"
    layer = create("vars-s", dim=4, heads=2, grid=(2, 3))
    assert repr(layer.bind(torch.zeros(1, 6, 4))[0]).startswith(
        "ConvolutionalReconstruction(spectrum=complex64[4, 5, 2, 2], correlation=float32[1, 4, 5, 2, 3], penalty=L1("
    )


def test_a_problem_of_ones_own_says_what_it_is_too():
    class Plain(Reconstruction):
        pass

    class Named(Reconstruction):
        def __repr__(self):
            return "mine"

    eye, values = torch.eye(2), torch.zeros(1, 2, 1)
    assert repr(Plain(eye, values, L1(1.0))).startswith("Plain(gram=float32[2, 2], ")
    assert repr(Named(eye, values, L1(1.0))) == "mine"


def test_answers_say_what_they_are():
    problem = PROBLEMS["orthonormal-l1"]().problem
    assert repr(Unrolled(3)(problem)) == "Solution(value=float64[3, 2, 6, 4])"
    assert repr(FISTA(300, tol=1e-8)(problem)) == "Solution(value=float64[3, 2, 6, 4], converged=bool[3])"
    assert repr(Unrolled(3)(problem, trace=True).trace) == (
        "Trace(nfe=int64[4], time=float64[4], residual=float64[4, 3], energy=float64[4, 3], sparsity=float32[4, 3])"
    )
    assert repr(Carry()) == "Carry()"
    assert repr(Carry(code=torch.zeros(2, 3, 4, 5))) == "Carry(code=float32[2, 3, 4, 5])"


def test_penalties_data_and_registries_say_what_they_are():
    assert repr(ElasticNet(0.1, ratio=0.25)) == "ElasticNet(weight=0.1, ratio=0.25)"
    assert repr(L1(torch.ones(3, 1, 1))) == "L1(weight=float32[3, 1, 1])"
    digits = load("digits")
    assert repr(digits.test) == "Split(images=float32[450, 1, 8, 8], labels=int64[450], patch=2)"
    assert repr(digits).startswith("Dataset(name='digits', train=Split(images=float32[1078, 1, 8, 8]")
    assert repr(attentions) == f"Registry('attention': {', '.join(attention.names())})"
