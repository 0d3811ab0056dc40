"""Identities that tie the formulations together, and maps held against derivatives."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tables import VARIANTS, make
from torch.nn import functional as F

from unroll import attention, problems, solvers
from unroll.attention import Carry, RandomFeatures, create


@pytest.mark.parametrize(
    "variant", ["softmax", "kernel", "relative-position-bias", "gated-positional", "gated-positional-local", "rotary"]
)
def test_maps_of_weighting_layers_give_the_output(variant):
    layer, x = make(variant).double(), torch.randn(2, 9, 12, dtype=torch.float64)
    v = layer.split_heads(layer.qkv(x).chunk(3, dim=-1)[2])
    weights = layer.attention_map(x)
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
    torch.testing.assert_close(layer.output(layer.merge_heads(weights @ v)), layer(x))


@pytest.mark.parametrize(
    "variant", [name for name in VARIANTS if name.startswith(("vars", "hopfield")) and "relative" not in name]
)
def test_maps_of_iterative_layers_are_derivatives_by_the_values(variant):
    """Held against automatic differentiation of the whole computation by V, templates fixed.

    (A relative lambda depends on V; the map holds it fixed.)
    """
    layer, x = make(variant).double(), torch.randn(2, 9, 12, dtype=torch.float64)
    with torch.no_grad():
        *others, v = layer.project(x)

    def outputs(v):
        layer.project = lambda x, mask=None: (*others, v)
        problem, readout = layer.bind(x)
        return readout(problem.decode(layer.solver(problem).value))

    jacobian = torch.autograd.functional.jacobian(outputs, v)  # B H N D, B H N D
    expected = torch.einsum("bhidbhjd->bhij", jacobian) / layer.head_dim
    del layer.project
    maps = layer.attention_map(x)
    torch.testing.assert_close(maps, expected if maps.shape[1] > 1 else expected.mean(1, keepdim=True))


def test_a_linear_problem_is_its_map():
    """With a squared penalty the code is linear in the values: the map times the values is the output."""

    class Squared(attention.VarsD):
        def bind(self, x, mask=None, start=None):
            problem, readout = super().bind(x, mask, start)
            return problems.Reconstruction(problem.gram, problem.correlation, problems.Ridge(0.1)), readout

    layer, x = Squared(12, 3).double(), torch.randn(2, 5, 12, dtype=torch.float64)
    y = layer.output(layer.merge_heads(layer.attention_map(x) @ layer.project(x)[1]))
    torch.testing.assert_close(y, layer(x))


def test_one_unit_step_without_sparsity_is_shared_kernel_attention():
    """F F'V: kernel attention with queries = keys, the normalisation moved from rows to columns."""
    layer, x = make("vars-d").double(), torch.randn(2, 6, 12, dtype=torch.float64)
    q, v = layer.project(x)
    f = F.normalize(layer.features(q), dim=-2)
    problem = problems.Reconstruction(f.mT @ f, f.mT @ v, problems.L1(0.0), lipschitz=torch.ones(2, 3).double())
    code = solvers.Unrolled(1)(problem).value
    torch.testing.assert_close(f @ code, f @ f.mT @ v)


def test_kernel_attention_tends_to_the_softmax_of_cosines():
    layer, x = create("kernel", dim=8, heads=2, features=200_000), torch.randn(1, 6, 8)
    q, k = (F.normalize(layer.split_heads(part), dim=-1) for part in layer.qkv(x).chunk(3, dim=-1)[:2])
    torch.testing.assert_close(layer.attention_map(x), (q @ k.mT).softmax(-1), atol=0.01, rtol=0)


@given(temperature=st.floats(0.2, 4))
def test_features_estimate_the_kernel(temperature):
    features = RandomFeatures(1, 3, 100_000, temperature=temperature).double()
    u, w = F.normalize(torch.randn(2, 3, dtype=torch.float64), dim=-1)
    estimate = (features(u.view(1, 1, 1, 3)) * features(w.view(1, 1, 1, 3))).sum()
    error = abs(estimate.log().item() - (u @ w).item() / temperature)
    assert error < 0.15 * (1 + 1 / temperature) ** 2


def test_features_of_any_length_estimate_the_kernel_of_softmax_attention():
    features = RandomFeatures(1, 4, 400_000, temperature=2.0, sphere=False, seed=0).double()
    u, w = torch.tensor([[1.0, 0.5, -0.2, 0.1], [0.3, 1.0, 0.4, -0.5]], dtype=torch.float64)
    estimate = (features(u.view(1, 1, 1, 4)) * features(w.view(1, 1, 1, 4))).sum()
    assert estimate.log().item() == pytest.approx((u @ w).item() / 2 / 2.0, abs=0.01)


def test_learned_templates_are_templates_times_a_map():
    """The problem in small products against the one with its templates written out."""
    layer = create("vars-d", dim=12, heads=3, weight=0.2, learned_templates=True, bound="largest-eigenvalue").double()
    x = torch.randn(2, 9, 12, dtype=torch.float64)
    with torch.no_grad():
        layer.map.add_(0.3 * torch.randn(layer.map.shape, dtype=torch.float64))
        q, v = layer.project(x)
        f = F.normalize(F.normalize(layer.features(q), dim=-2) @ layer.map, dim=-2)
        gram = f.mT @ f
        written_out = problems.Reconstruction(
            gram, f.mT @ v, problems.L1(0.2), lipschitz=problems.largest_eigenvalue(gram)
        )
        problem, readout = layer.bind(x)
        code = layer.solve(x).value
        torch.testing.assert_close(code, layer.solver(written_out).value)
        torch.testing.assert_close(readout(code), f @ code)
    energy = solvers.FISTA(50, restart=True)(problem, trace=True).trace.energy
    assert (energy[-1] < energy[0]).all()


def test_more_templates_than_tokens_reconstruct_the_values():
    layer = create("vars-d", dim=8, heads=2, templates=64, weight=0.0, solver=solvers.FISTA(3000)).double()
    x = torch.randn(1, 3, 8, dtype=torch.float64)
    _, v = layer.project(x)
    problem, readout = layer.bind(x)
    torch.testing.assert_close(readout(layer.solver(problem).value), v, atol=1e-6, rtol=0)
    away = layer.attention_map(x) - torch.eye(3, dtype=torch.float64)
    assert away.abs().max() < 1e-6  # and no token hears another


def test_carry_passes_through_layers_that_take_none():
    x, given = torch.randn(2, 9, 12), Carry(logits=torch.zeros(1))
    for variant in VARIANTS:
        layer = make(variant)
        if not layer.traits.carries:
            assert layer.attend(x, given)[1] is given


@pytest.mark.parametrize("coordinates", ["code", "potential"])
def test_a_warm_start_reads_and_writes_the_code(coordinates):
    solver = solvers.Flow(3, "euler", step_size=0.1, tol=None) if coordinates == "potential" else solvers.Unrolled(3)
    options = {"warm_start": True, "projection_seed": 0, "coordinates": coordinates, "solver": solver}
    first, second = (create("vars-d", dim=12, heads=3, weight=0.1, **options) for _ in range(2))
    assert torch.equal(first.features.projection, second.features.projection)
    x, given = torch.randn(2, 5, 12), Carry(logits=torch.zeros(1))
    cold, carry = first.attend(x, given)
    assert carry.logits is given.logits
    assert torch.equal(carry.code, first.solve(x).value)
    warm, following = first.attend(x, carry)
    assert torch.equal(following.code, first.solver(first.bind(x, start=carry.code)[0]).value)
    assert not torch.equal(warm, cold)
    assert torch.equal(second.attend(x, carry)[1].code, second.solver(second.bind(x, start=carry.code)[0]).value)


def test_a_relative_threshold_follows_the_scale_of_the_values():
    layer = create("vars-d", dim=12, heads=3, relative=True, weight=0.2).double()
    x = torch.randn(2, 7, 12, dtype=torch.float64)
    code = layer.solve(x).value
    with torch.no_grad():
        layer.qv.weight[12:] *= 3
        layer.qv.bias[12:] *= 3
    torch.testing.assert_close(layer.solve(x).value, 3 * code)


@pytest.mark.parametrize("name", ["vars-d", "vars-sd"])
def test_potentials_settle_in_the_same_code(name):
    torch.manual_seed(0)
    layer = create(name, dim=12, heads=3, grid=(3, 3), weight=0.2, solver=solvers.FISTA(3000)).double()
    torch.manual_seed(0)
    settle = solvers.Flow(400, "rk4", step_size=0.25, tol=1e-9)
    flow = create(name, dim=12, heads=3, grid=(3, 3), weight=0.2, coordinates="potential", solver=settle).double()
    x = torch.randn(2, 9, 12, dtype=torch.float64)
    torch.testing.assert_close(flow(x), layer(x), atol=1e-6, rtol=0)


def test_the_course_of_a_map_ends_with_the_map():
    layer, x = make("vars-d"), torch.randn(2, 9, 12)
    course = layer.attention_course(x, [1, 5])
    assert course.shape == (2, 2, 3, 9, 9)
    torch.testing.assert_close(course[1], layer.attention_map(x))
    assert not torch.equal(course[0], course[1])
    flow = layer.with_solver(solvers.Flow(50))
    torch.testing.assert_close(
        flow.attention_course(x, [200])[0],
        layer.with_solver(solvers.Unrolled(3000)).attention_map(x),
        atol=1e-2,
        rtol=0,
    )


def test_one_hopfield_step_is_softmax_attention():
    softmax, hopfield = (
        create("softmax", dim=12, heads=3),
        create("hopfield", dim=12, heads=3, solver=solvers.Unrolled(0)),
    )
    hopfield.load_state_dict({name.replace("qkv", "qv"): value for name, value in softmax.state_dict().items()})
    x, mask = torch.randn(2, 7, 12), torch.rand(2, 7) < 0.7
    torch.testing.assert_close(hopfield(x, mask), softmax(x, mask))
    torch.testing.assert_close(hopfield.attention_map(x, mask), softmax.attention_map(x, mask))
