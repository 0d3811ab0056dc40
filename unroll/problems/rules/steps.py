"""Rules about the map: what its kind promises of every step."""

from dataclasses import replace

import torch

from unroll.contracts import Kind, Problem
from unroll.problems.rules.base import CONVERGENT, penalty_of, rules, somewhere


@rules.rule(
    "the energy falls",
    "make the step smaller (L at least the largest eigenvalue), or declare Kind.GENERAL",
    tolerance=1e-12,
)
def energy_falls(problem: Problem) -> float | str:
    """From random states; the rise is relative to the energy's own size."""
    if problem.kind is not Kind.PROXIMAL:
        return f"its kind is {problem.kind}"
    worst = []
    for seed in range(3):
        # One step first: a random state may lie where a constraint makes the energy infinite.
        state = problem.step(somewhere(problem, seed), 0)
        energies = []
        for k in range(10):
            energies.append(problem.energy(problem.decode(state)))
            state = problem.step(state, k)
        energy = torch.stack(energies)
        worst.append((energy.diff(dim=0) / (1 + energy[:-1].abs())).max().item())
    return max(max(worst), 0.0)


@rules.rule("the step never expands", "make the step smaller, or declare Kind.GENERAL", tolerance=1e-12)
def never_expands(problem: Problem) -> float | str:
    r"""Measure :math:`|\mathrm{step}(a) - \mathrm{step}(b)| / |a - b| - 1` on random pairs, far apart and near."""
    if problem.kind not in CONVERGENT:
        return f"its kind is {problem.kind}"
    worst = 0.0
    for seed in range(4):
        a = somewhere(problem, seed)
        b = a + 10.0**-seed * (somewhere(problem, seed + 10) - a)
        moved = (problem.step(a, 0) - problem.step(b, 0)).flatten(1).norm(dim=1)
        worst = max(worst, (moved / (a - b).flatten(1).norm(dim=1) - 1).max().item())
    return worst


@rules.rule(
    "the residual is free of the step size",
    "multiply what a step moves by L: a small step is not a small residual",
    tolerance=1.4,
)
def residual_is_free(problem: Problem) -> float | str:
    """Halve a small step, far from any threshold: how does the residual change? A plain difference gives a factor 2."""
    bound = getattr(problem, "lipschitz", None)
    if bound is None:
        return "it holds no step bound (lipschitz)"
    penalty = penalty_of(problem)
    if penalty is not None and not penalty.proximal:
        return "its penalty is not proximal"  # and need not leave large entries alone as the step shrinks
    state = 1e3 * somewhere(problem).abs()
    scaled = (replace(problem, lipschitz=factor * bound.clamp_min(1)) for factor in (1e4, 2e4))
    one, other = (problem.residual(state, problem.step(state, 0)) for problem in scaled)
    # A sample without values, all padding, is at its fixed point everywhere or infinitely far from it.
    told = torch.isfinite(one) & torch.isfinite(other) & (one > 0) & (other > 0)
    return (one / other)[told].log().abs().max().exp().item() if told.any() else float("inf")
