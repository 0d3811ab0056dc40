"""The contract check: each rule can fail, on an example broken for it, and a new attention passes in thirty lines."""

import re
from dataclasses import replace

import pytest
import torch
from torch import nn

from unroll import attention, problems, solvers
from unroll.attention import ContractError, IterativeAttention, RandomFeatures, Traits, check_attention
from unroll.attention.registry import attentions
from unroll.attention.rules import rules


def test_inventing_an_attention_takes_thirty_lines():
    @attention.register("ridge")
    class RidgeAttention(IterativeAttention):
        """Reconstruct the values from the tokens' features with a squared penalty."""

        traits = Traits(permutation_equivariant=True, masks=True, exact_gradient=True)

        def __init__(self, dim, heads, *, weight=0.1, solver=solvers.Unrolled(5)):
            super().__init__(dim, heads, solver=solver)
            self.features, self.weight = RandomFeatures(heads, self.head_dim, 8), weight

        def bind(self, x, mask=None, start=None):
            q, v = self.project(x, mask)
            f = attention.hide_tokens(self.features(q), mask)
            problem = problems.Reconstruction(f.mT @ f, f.mT @ v, problems.Ridge(self.weight), start)
            return problem, lambda code: f @ code

    try:
        assert check_attention("ridge").passed
    finally:
        attentions._entries.pop("ridge")


class Broken(attention.SoftmaxAttention):
    """Softmax attention with one fault, put in by ``fault(layer, x, y)``."""

    fault = None

    def attend(self, x, carry=None, mask=None):
        y, carry = super().attend(x, carry, mask)
        return type(self).fault(self, x, y), carry


def _broken(name, attend):
    return type(name, (Broken,), {"fault": staticmethod(attend)})(12, 3)


class _LeakyMask(attention.SoftmaxAttention):
    def attend(self, x, carry=None, mask=None):
        y, carry = super().attend(x, carry, None)
        return attention.hide_tokens(y, mask), carry


class _Lenient(attention.SoftmaxAttention):
    """Makes the best of any input."""

    def check_input(self, x, mask):
        mask = None if mask is None else mask.reshape(len(x), -1)[:, :1].expand(x.shape[:2]).bool()
        return super().check_input(x[..., : self.dim].to(self.qkv.weight.dtype), mask)


class _AnyGrid(attention.SoftmaxAttention):
    traits = Traits(needs_grid=True)

    def __init__(self, dim, heads, *, grid=(2, 4)):
        attention.Attention.__init__(self, dim, heads, grid=grid)
        self.qkv, self.output = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def check_input(self, x, mask):
        return x


class _DeadWeight(attention.SoftmaxAttention):
    def __init__(self, dim, heads):
        super().__init__(dim, heads)
        self.unused = nn.Parameter(torch.ones(1))


class _OwnForward(attention.SoftmaxAttention):
    def forward(self, x, mask=None):
        return 2 * super().forward(x, mask)


class _OwnSolve(attention.VarsD):
    def solve(self, x, mask=None, trace=True):
        return solvers.Unrolled(2)(self.bind(x, mask)[0], trace=trace)


class _HiddenState(attention.SoftmaxAttention):
    def __init__(self, dim, heads):
        super().__init__(dim, heads)
        self.gain = nn.Buffer(torch.ones(1), persistent=False)

    def attend(self, x, carry=None, mask=None):
        y, carry = super().attend(x, carry, mask)
        return y * self.gain, carry


class _Forgetful(attention.SoftmaxAttention):
    def attend(self, x, carry=None, mask=None):
        return super().attend(x, None, mask)[0], None


class _LoudPadding(attention.SoftmaxAttention):
    """Divides by the number of real tokens."""

    def attend(self, x, carry=None, mask=None):
        y, carry = super().attend(x, carry, mask)
        return y if mask is None else y / (mask.sum(dim=1) > 0)[:, None, None], carry


class _OwnTrace(attention.VarsD):
    """Tells of the whole batch where it should tell of each sample."""

    def solve(self, x, mask=None, trace=True):
        solution = super().solve(x, mask, trace)
        return replace(solution, trace=replace(solution.trace, residual=solution.trace.residual.mean(1)))


class _TooFast(attention.VarsD):
    """Steps ten times as long as are safe."""

    def bind(self, x, mask=None, start=None):
        problem, readout = super().bind(x, mask, start)
        return replace(problem, lipschitz=problem.lipschitz / 10), readout


class _Straightener(torch.autograd.Function):
    """The identity, for those who do not look back."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, upstream):
        return upstream / 2


def _branches(layer, x, y):
    return y if y.sum() > 0 else y + 0


class _RoundsHeads(attention.SoftmaxAttention):
    def __init__(self, dim, heads):
        super().__init__(dim, next(count for count in range(min(int(heads), dim) or 1, 0, -1) if dim % count == 0))


class _Maskless(attention.SoftmaxAttention):
    traits = Traits(permutation_equivariant=True)

    def check_input(self, x, mask):
        super().check_input(x, None)


BROKEN = {
    "shapes": lambda: _broken("Shape", lambda layer, x, y: y[:, :1]),
    "dtype": lambda: _broken("Dtype", lambda layer, x, y: y.double()),
    "forward is attend": lambda: _OwnForward(12, 3),
    "solve is forward": lambda: _OwnSolve(12, 3),
    "determinism": lambda: _broken("Random", lambda layer, x, y: y + torch.rand(1).item()),
    "batch independence": lambda: _broken("Batch", lambda layer, x, y: y - y.mean(dim=0)),
    "NaN stays in its sample": lambda: _broken("Leak", lambda layer, x, y: y + 0 * y.sum(dim=0)),
    "permutation equivariance": lambda: _broken("Order", lambda layer, x, y: y.cumsum(dim=1)),
    "mask equals the shorter sequence": lambda: _LeakyMask(12, 3),
    "carry": lambda: _Forgetful(12, 3),
    "no silent mask": lambda: _Maskless(12, 3),
    "wrong width is refused": lambda: _Lenient(12, 3),
    "wrong dtype is refused": lambda: _Lenient(12, 3),
    "wrong masks are refused": lambda: _Lenient(12, 3),
    "bad heads are refused": lambda: _RoundsHeads(12, 3),
    "another grid is refused": lambda: _AnyGrid(12, 3),
    "a sample of padding is silent": lambda: _LoudPadding(12, 3),
    "device moves": lambda: _broken("Elsewhere", lambda layer, x, y: y + torch.ones(layer.dim, dtype=y.dtype)),
    "compiles": lambda: _broken("Branching", _branches),
    "convergence can be asked": lambda: _OwnTrace(12, 3),
    "its problem holds": lambda: _TooFast(12, 3, weight=0.1),
    "gradient by the parameters": lambda: _broken(
        "Halved", lambda layer, x, y: y + _Straightener.apply(layer.output.bias)
    ),
    "gradient by the input": lambda: _broken("Detached", lambda layer, x, y: y + x.detach() ** 2),
    "every parameter learns": lambda: _DeadWeight(12, 3),
    "state dict": lambda: _HiddenState(12, 3),
}


def test_every_rule_has_a_broken_example():
    assert set(BROKEN) == set(rules.names())


@pytest.mark.parametrize("rule", BROKEN)
def test_rules_can_fail(rule):
    with pytest.raises(ContractError, match=rf"(?s)broken \(.*FAIL  {rule}.*remedy: "):
        check_attention(BROKEN[rule]())


def test_report_reads_well():
    report = check_attention("softmax")
    assert report.passed
    assert repr(report).splitlines()[0] == "softmax: all rules hold"
    assert re.search(r"  -   no silent mask +masks is declared\n", repr(report))
    assert "  pass  shapes\n" in repr(report)  # kept or broken, with nothing in between to measure
    assert re.search(r"pass  batch independence +0.0e\+00  \(at most 1e-10\)\n", repr(report))


def test_a_layer_without_parameters_can_be_checked():
    class Mean(attention.Attention):
        traits = Traits(permutation_equivariant=True, exact_gradient=True)

        def attend(self, x, carry=None, mask=None):
            x = self.check_input(x, mask)
            return x.mean(dim=1, keepdim=True).expand_as(x), carry

        def attention_map(self, x, mask=None):
            x = self.check_input(x, mask)
            return x.new_full((len(x), 1, x.shape[1], x.shape[1]), 1 / x.shape[1])

    assert check_attention(Mean(12, 3)).passed
    with pytest.raises(ValueError, match=r"Mean takes no mask: its traits declare no masks"):
        Mean(12, 3)(torch.zeros(1, 4, 12), torch.ones(1, 4).bool())
