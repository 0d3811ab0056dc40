"""Rules about the answer: the proximal operator minimises, and the residual is zero at the solution and only there."""

import torch
from torch import Tensor

from unroll.contracts import Problem
from unroll.problems.penalty import Penalty
from unroll.problems.rules.base import penalty_of, rules, settled, somewhere
from unroll.verdicts import gap

_SCALE = 0.7  # a step size, 1 / L
_NO_PENALTY = "it has no penalty"


@rules.rule(
    "prox is the minimiser", "let prox(v, scale) return argmin_z |z - v|^2 / 2 + scale * value(z)", tolerance=1e-9
)
def prox_is_the_minimiser(problem: Problem) -> float | str:
    """Search along entries, rows and random directions, to zero and to v: how much lower can a numerical argmin get?"""
    penalty = penalty_of(problem)
    if penalty is None:
        return _NO_PENALTY
    v = _thresholded(problem, penalty)
    z = penalty.prox(v, _SCALE).detach()
    if penalty.value(z) is None:
        return "its penalty has no value"

    def objective(candidate: Tensor) -> Tensor:
        return (candidate - v).square().flatten(1).sum(1) / 2 + _SCALE * penalty.value(candidate)

    reached = objective(z)
    lowest = torch.stack([objective(candidate) for candidate in _candidates(z, v)]).amin(dim=0)
    return max((reached - lowest).max().item(), 0.0) if torch.isfinite(reached).all() else float("inf")


@rules.rule(
    "prox is optimal",
    "let optimality vanish where -gradient is a subgradient of the penalty, only there",
    tolerance=1e-9,
)
def prox_is_optimal(problem: Problem) -> float | str:
    penalty = penalty_of(problem)
    if penalty is None:
        return _NO_PENALTY
    if not penalty.proximal:
        return "its penalty is not proximal"
    v = _thresholded(problem, penalty)
    z = penalty.prox(v, _SCALE)
    moved = z + 0.1
    away = penalty.optimality(moved, (moved - v) / _SCALE)
    return penalty.optimality(z, (z - v) / _SCALE).max().item() if away.max() > 1e-6 else float("inf")


@rules.rule(
    "the residual is zero at a fixed point", "measure how far a step moves the code, and nothing else", tolerance=1e-9
)
def residual_is_zero(problem: Problem) -> float | str:
    """Plain steps lead there, where they do; the code must then be one that the step leaves alone."""
    state = settled(problem)
    if state is None:
        return "plain steps do not settle"
    following = problem.step(state, 0)
    return max(problem.residual(state, following).max().item(), gap(problem.decode(state), problem.decode(following)))


@rules.rule("the residual is zero only there", "let it grow with the distance that a step moves the code")
def residual_is_zero_only_there(problem: Problem) -> float | str:
    """At random states whose code a step moves: how many samples have a residual of next to nothing?"""
    blind = 0
    for seed in range(3):
        state = somewhere(problem, seed)
        following = problem.step(state, 0)
        moved = (problem.decode(following) - problem.decode(state)).flatten(1).norm(dim=1)
        blind += int(((moved > 1e-3) & ~(problem.residual(state, following) > 1e-6)).sum())
    return float(blind)


@rules.rule(
    "a fixed point is optimal", "let the step be a proximal-gradient step of the energy that you return", tolerance=1e-7
)
def fixed_point_is_optimal(problem: Problem) -> float | str:
    """Where steps settle, the gradient of the smooth part must be met by the penalty's subdifferential."""
    penalty = penalty_of(problem)
    if penalty is None or not penalty.proximal or problem.energy(problem.decode(problem.start())) is None:
        return "it has no energy with a proximal penalty"
    state = settled(problem)
    if state is None:
        return "plain steps do not settle"
    code = problem.decode(state).detach().requires_grad_()
    smooth = problem.energy(code) - penalty.value(code)
    (gradient,) = torch.autograd.grad(smooth.sum(), code)
    return penalty.optimality(code.detach(), gradient).max().item()


def _thresholded(problem: Problem, penalty: Penalty) -> Tensor:
    """Return a v that the penalty keeps in some places and shrinks to zero in others."""
    like = problem.start()
    weight = penalty.weight if isinstance(penalty.weight, Tensor) else like.new_tensor(penalty.weight)
    noise = torch.randn(like.shape, generator=torch.Generator().manual_seed(1), dtype=like.dtype).to(like.device)
    return 2 * (weight.detach() + 0.1) * noise


def _candidates(z: Tensor, v: Tensor) -> list[Tensor]:
    generator = torch.Generator().manual_seed(2)
    steps = [sign * size for size in (1e-4, 1e-2, 0.1, 0.5, 1.0, 2.0) for sign in (-1, 1)]
    found = [torch.zeros_like(z), v]
    columns, entries = z.shape[-1], z[0].numel()
    for index in torch.randperm(entries, generator=generator)[:8].tolist():
        entry = torch.zeros_like(z).flatten(1)
        entry[:, index] = 1
        row = torch.zeros_like(z).flatten(1)
        row[:, index - index % columns : index - index % columns + columns] = 1
        entry, row = entry.view_as(z), row.view_as(z)
        noise = torch.randn(z.shape, generator=generator, dtype=z.dtype).to(z.device)
        found += [torch.where(part > 0, end, z) for part in (entry, row) for end in (0, v)]
        found += [z + t * d for t in steps for d in (entry, row * z, row * noise, noise)]
    return found
