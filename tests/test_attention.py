"""Every attention: the contract, compilation, and clear errors."""

import pytest
import torch
from tables import FREE, VARIANTS, make
from torch import nn

from unroll import attention, solvers
from unroll.attention import Traits, check_attention, create


def test_every_registered_name_is_in_the_table():
    assert {name for name, _ in VARIANTS.values()} == set(attention.names())


@pytest.mark.parametrize("variant", VARIANTS)
def test_contract(variant):
    check_attention(make(variant))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: create("varsd", dim=8, heads=2),
            r"unknown attention 'varsd': did you mean 'vars-d'\? known: conv",
        ),
        (lambda: create("softmax", dim=10, heads=4), r"dim must be divisible by heads, got dim = 10 and heads = 4"),
        (lambda: create("softmax", dim=8, heads=0), r"heads must be a whole number >= 1, got 0"),
        (lambda: create("softmax", dim=8.5, heads=2), r"dim must be a whole number >= 1, got 8.5"),
        (
            lambda: create("vars-d", dim=8, heads=2, wieght=1),
            r"unknown option of vars-d 'wieght': did you mean 'weight'",
        ),
        (
            lambda: create("vars-d", dim=8, heads=2, weight=-0.1),
            r"weight \(lambda\) must be a finite number >= 0, got -0.1",
        ),
        (lambda: create("vars-d", dim=8, heads=2, temperature=0), r"temperature must be a finite number > 0, got 0"),
        (lambda: create("vars-d", dim=8, heads=2, templates=0), r"templates must be a whole number >= 1, got 0"),
        (lambda: create("vars-d", dim=8, heads=2, bound="rowsum"), r"unknown bound 'rowsum': did you mean 'row-sum'\?"),
        (
            lambda: create("vars-d", dim=8, heads=2, relative=True),
            r"weight \(lambda\) must be below 1 with relative=True: 1 silences a head, got 1.0",
        ),
        (lambda: create("vars-d", dim=8, heads=2, penalty="l2"), r"unknown penalty 'l2': known: elastic-net, gelu"),
        (
            lambda: create("vars-d", dim=8, heads=2, warm_start=True),
            r"warm_start needs projection_seed, and neither learned_templates nor learned_projection, so that",
        ),
        (
            lambda: create("vars-d", dim=8, heads=2, coordinates="potential", solver=solvers.FISTA(5)),
            r"FISTA needs a map that is proximal, but VarsD as it is set is general: use Unrolled",
        ),
        (
            lambda: create("vars-d", dim=8, heads=2, learned_gram=True, solver=solvers.FISTA(5)),
            r"FISTA needs a map that is proximal, but VarsD as it is set is general: use Unrolled",
        ),
        (
            lambda: create("vars-s", dim=8, heads=2, grid=(3, 3), filters=0),
            r"filters must be a whole number >= 1, got 0",
        ),
        (lambda: create("vars-sd", dim=8, heads=2), r"grid must be \(height, width\), got None"),
        (lambda: create("hopfield", dim=8, heads=2, beta=0), r"beta must be a finite number > 0, got 0"),
        (lambda: create("vars-d", dim=8, heads=2, solver=5), r"solver must be a Solver such as .*, got 5"),
        (
            lambda: create("vars-d", dim=8, heads=2, published=True, solver=solvers.FISTA(5)),
            r"FISTA needs a map that is proximal, but VarsD as it is set is general: use Unrolled",
        ),
    ],
)
def test_bad_settings(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("variant", FREE)
@pytest.mark.parametrize(
    ("x", "mask", "message"),
    [
        (torch.zeros(2, 5, 13), None, r"x must have shape \[batch, tokens, 12\], got \[2, 5, 13\]"),
        (torch.zeros(5, 12), None, r"x must have shape \[batch, tokens, 12\], got \[5, 12\]"),
        (torch.zeros(2, 5, 12, dtype=torch.long), None, r"x must be torch.float32 like the weights, got torch.int64"),
        (torch.zeros(2, 5, 12).double(), None, r"x must be torch.float32 like the weights, got torch.float64"),
        (torch.zeros(2, 5, 12), torch.ones(2, 5), r"mask must be boolean \(True = a real token\), got torch.float32"),
        (torch.zeros(2, 5, 12), torch.ones(2, 6).bool(), r"mask must have shape \[2, 5\], got \[2, 6\]"),
    ],
)
def test_bad_calls(variant, x, mask, message):
    for call in (make(variant), make(variant).attention_map):
        with pytest.raises(ValueError, match=message):
            call(x, mask)


def test_a_grid_layer_counts_its_tokens_and_refuses_masks():
    class Gridded(attention.SoftmaxAttention):
        traits = Traits(needs_grid=True)

        def __init__(self, dim, heads, *, grid):
            attention.Attention.__init__(self, dim, heads, grid=grid)
            self.qkv, self.output, self.scale = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim), 1.0

    layer = Gridded(12, 3, grid=(4, 4))
    assert layer(torch.zeros(1, 16, 12)).shape == (1, 16, 12)
    with pytest.raises(ValueError, match=r"x must have 4 x 4 = 16 tokens for this grid, got 17"):
        layer(torch.zeros(1, 17, 12))
    with pytest.raises(ValueError, match=r"Gridded takes no mask: its tokens are the places of a fixed grid"):
        layer(torch.zeros(1, 16, 12), torch.ones(1, 16).bool())
    with pytest.raises(ValueError, match=r"grid must be \(height, width\), got None"):
        Gridded(12, 3, grid=None)
    with pytest.raises(ValueError, match=r"grid width must be a whole number >= 1, got 0"):
        Gridded(12, 3, grid=(4, 0))


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_the_optimising_compiler_gives_the_same_numbers(variant):
    """That there is one graph, and that it is right as it stands, check_attention sees to."""
    layer, x = make(variant), torch.randn(2, 9, 12)
    if not layer.traits.compilable:
        pytest.skip("does not declare it")
    torch.compiler.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="inductor")
    torch.testing.assert_close(compiled(x), layer(x), atol=1e-5, rtol=1e-5)


def test_only_unrolling_is_compilable():
    layer = create("vars-d", dim=12, heads=3)
    assert layer.traits.compilable
    other = layer.with_solver(solvers.FISTA(8, tol=1e-3))
    assert not other.traits.compilable
    assert other.with_solver(solvers.Unrolled(3)).traits.compilable
    assert other.qv is layer.qv
    assert layer.solver == solvers.Unrolled(5)
