"""The fused plain steps against the plain loop: the same numbers, first and second derivatives."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tables import dictionary, values

from unroll.contracts import Problem
from unroll.problems import L1, NonNegativeL1, Reconstruction


def posed(requires_grad=True, origin="zero", start=False, few=False):
    part = slice(0, 1 if few else None)
    f = dictionary()[part, part, :, : 2 if few else None].clone()
    v = values(f)[..., : 2 if few else None].contiguous()
    weight = torch.full((f.shape[1], 1, 1), 0.3, dtype=f.dtype)
    first = torch.linspace(-1, 1, f.shape[0] * f.shape[1] * f.shape[-1] * v.shape[-1], dtype=f.dtype)
    tensors = [tensor.requires_grad_(requires_grad) for tensor in (f, v, weight, first)]

    def problem(f, v, weight, first):
        c = f.mT @ v
        return Reconstruction(f.mT @ f, c, L1(weight), first.view_as(c) if start else None, origin=origin)

    return problem, tensors


@pytest.mark.parametrize("start", [False, True])
@pytest.mark.parametrize("origin", ["zero", "correlation"])
@given(steps=st.integers(0, 8))
def test_fused_steps_are_the_plain_loop(origin, start, steps):
    problem, tensors = posed(origin=origin, start=start)
    asking = tensors if start else tensors[:3]
    results = []
    for iterate in (Reconstruction.iterate, Problem.iterate):
        code = iterate(problem(*tensors), steps)
        towards = torch.linspace(-1, 1, code.numel(), dtype=code.dtype).view_as(code)
        loss = (code * towards).sum() + sum(0 * tensor.sum() for tensor in asking)
        results.append((code, torch.autograd.grad(loss, asking)))
    (fused, ours), (plain, theirs) = results
    assert torch.equal(fused, plain)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("start", [False, True])
def test_first_and_second_derivatives(start):
    problem, tensors = posed(start=start, few=True)

    def solve(*tensors):
        return problem(*tensors).iterate(3)

    asking = tensors if start else [*tensors[:3], tensors[3].detach()]
    assert torch.autograd.gradcheck(solve, asking)
    assert torch.autograd.gradgradcheck(solve, asking)


def test_only_codes_are_kept_for_the_way_back():
    problem, tensors = posed()
    bound = problem(*tensors)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.shape) or t, lambda t: t):
        bound.iterate(6)
    assert kept.count(bound.correlation.shape) == 6 + 1  # the codes and the drive


def test_other_penalties_and_shared_matrices_take_the_plain_loop():
    f = dictionary()
    nonnegative = Reconstruction(f.mT @ f, f.mT @ values(f), NonNegativeL1(0.1))
    shared = Reconstruction(f[0, 0].mT @ f[0, 0], f.mT @ values(f), L1(0.1))
    for problem in (nonnegative, shared):
        assert torch.equal(problem.iterate(4), Problem.iterate(problem, 4))


def test_bfloat16_stays_bfloat16():
    problem, tensors = posed(requires_grad=False)
    code = problem(*(tensor.bfloat16() for tensor in tensors)).iterate(5)
    assert code.dtype == torch.bfloat16
    torch.testing.assert_close(code.double(), problem(*tensors).iterate(5), atol=0.05, rtol=0.05)
