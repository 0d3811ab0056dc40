"""The attractor as an ordinary differential equation, integrated by torchdiffeq until it settles."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torchdiffeq import odeint, odeint_adjoint

from unroll import validate
from unroll.contracts import Kind, Problem
from unroll.solvers.attach import attach
from unroll.solvers.base import Solver, solvers
from unroll.solvers.field import Field
from unroll.solvers.implicit import Implicit
from unroll.solvers.loop import check_tolerance, per_sample
from unroll.solvers.recorder import Recorder
from unroll.solvers.solution import Solution

FIXED = ("euler", "midpoint", "rk4")
ADAPTIVE = ("dopri5", "dopri8", "bosh3", "adaptive_heun", "fehlberg2")


class StiffFlowError(RuntimeError):
    """The step size of an adaptive method shrank to nothing."""


class AdjointError(RuntimeError):
    """Running a settled flow backwards did not lead back to its start, so the adjoint gradient would be wrong."""


@solvers.register("flow")
@dataclass(frozen=True)
class Flow(Solver):
    r"""Let the state follow the flow of the step until it settles in its attractor.

    .. math:: \frac{dz}{dt} = \mathrm{step}(z) - z, \qquad 0 \le t \le \mathrm{until}

    Time is in units of the flow's own time constant. Explicit Euler with a step of 1 is :class:`Unrolled`. The flow is
    looked at once every unit of time, which nfe does not count: a sample whose residual is at or below ``tol`` is
    frozen, and when all are the integration stops. Samples share the step size of an adaptive method, which is governed
    by the worst of them, so answers depend on the batch within 10 ``rtol``; with a fixed step they do not.

    Args:
        until: end of time, a whole number >= 1.
        method: a fixed-step method ("euler", "midpoint", "rk4") or an adaptive one ("dopri5", "dopri8", "bosh3",
            "adaptive_heun", "fehlberg2") of torchdiffeq.
        step_size: of the fixed-step methods, 0 < step_size <= 1; adaptive ones choose their own and refuse one.
        tol: when all samples' residuals are at or below it, stop; None runs to the end of time.
        rtol: relative error an adaptive method allows a step.
        atol: absolute error an adaptive method allows a step.
        gradient: "implicit" differentiates the settled state through its fixed point (see :class:`Implicit`); "direct"
            back-propagates through the integration; "adjoint" integrates the adjoint equation backwards, for short
            horizons only: a flow that contracts forwards explodes backwards. It is checked, and refused when it did.

    Raises:
        ValueError: on bad settings at construction; on a step-indexed problem when called.
        StiffFlowError: when an adaptive step underflows.
        AdjointError: when the adjoint cannot find its way back.

    Source: Shi et al. 2022 (VARS as an attractor); Chen et al. 2018 (adjoint); Bai et al. 2019 (implicit).

    Example:
        >>> from unroll.problems import L1, Reconstruction
        >>> problem = Reconstruction(torch.eye(2), torch.tensor([[[3.0], [0.5]]]), L1(1.0))
        >>> Flow(until=50)(problem).converged
        tensor([True])
    """

    until: int = 100
    method: str = "dopri5"
    step_size: float | None = None
    tol: float | None = 1e-4
    rtol: float = 1e-4
    atol: float = 1e-6
    gradient: Literal["implicit", "direct", "adjoint"] = "implicit"
    accepts: ClassVar[frozenset[Kind]] = frozenset({Kind.PROXIMAL, Kind.AVERAGED, Kind.GENERAL})

    def __post_init__(self) -> None:
        validate.count("until", self.until)
        validate.choice("method", self.method, FIXED + ADAPTIVE)
        validate.choice("gradient", self.gradient, ("implicit", "direct", "adjoint"))
        if self.method in FIXED:
            size = validate.positive("step_size", 1.0 if self.step_size is None else self.step_size)
            if abs(1 / size - round(1 / size)) > 1e-9:
                raise ValueError(f"step_size must divide the unit of time, such as 1, 0.5 or 0.1, got {size}")
        elif self.step_size is not None:
            raise ValueError(f"step_size must be None with the adaptive method {self.method}, got {self.step_size}")
        for name in ("rtol", "atol"):
            validate.positive(name, getattr(self, name))
        if self.tol is not None:
            validate.positive("tol", self.tol)

    def run(self, problem: Problem, trace: bool) -> Solution:
        for name in ("rtol", "tol") if self.method in ADAPTIVE else ("tol",):
            if getattr(self, name) is not None:
                check_tolerance(name, getattr(self, name), problem.start().dtype)
        if not torch.is_grad_enabled() or self.gradient == "direct":
            return self.integrate(problem, trace)
        if self.gradient == "adjoint":
            return self._adjoint(problem, trace)
        return Implicit(_Settled(self)).run(problem, trace)

    def stopped(self, steps: int) -> "Flow":
        return replace(self, until=steps, tol=None, gradient="direct")

    @property
    def independence(self) -> float:
        return 10 * self.rtol if self.method in ADAPTIVE else super().independence

    def integrate(self, problem: Problem, trace: bool) -> Solution:
        """Follow the flow, one unit of time after the other."""
        state = problem.start()
        field = Field(problem, adaptive=self.method in ADAPTIVE)
        recorder = Recorder(problem) if trace else None
        converged = torch.zeros(len(state), dtype=torch.bool, device=state.device)
        for now in range(self.until):
            if recorder:
                recorder.measure(state, 0, field.calls, flow=(now, field.accepted, field.rejected))
            state = self._advance(field, state, now)
            if self.tol is None:
                continue
            with torch.no_grad():
                residual = problem.residual(state, problem.step(state, 0))
            converged = converged | (residual <= self.tol)
            field.frozen = field.frozen | ~(residual > self.tol)  # NaN too
            if field.frozen.all():
                break
        if recorder:
            recorder.measure(state, 0, field.calls, flow=(now + 1, field.accepted, field.rejected))
        if self.tol is not None and not converged.all():
            message = f"some samples did not settle to tol = {self.tol:g} until {self.until}: see Solution.converged"
            warnings.warn(message, RuntimeWarning, stacklevel=4)
        value = torch.where(per_sample(field.finite, state), state, torch.nan)
        return Solution(value, None if self.tol is None else converged, recorder.trace() if recorder else None)

    def _advance(self, field: Field, state: Tensor, now: int) -> Tensor:
        times = torch.tensor([now, now + 1], dtype=state.dtype, device=state.device)
        try:
            return odeint(field, state, times, **self._options(state, field.last_size))[-1]
        except AssertionError as error:
            raise _diagnosis(error, self) from error

    def _options(self, state: Tensor, first_step: Tensor | None = None) -> dict[str, object]:
        if self.method in FIXED:
            size = 1.0 if self.step_size is None else self.step_size
            return {"method": self.method, "options": {"step_size": size}}
        worst = {"norm": lambda error: error.reshape(len(state), -1).square().mean(dim=1).amax().sqrt()}
        return {
            "method": self.method,
            "rtol": self.rtol,
            "atol": self.atol,
            "options": {**worst, "first_step": first_step},
        }

    def _adjoint(self, problem: Problem, trace: bool) -> Solution:
        """Follow the flow over the whole horizon, see that the way back leads back, and give gradients that way."""
        whole = replace(self, tol=None)
        with torch.no_grad():
            solution = whole.integrate(problem, trace)
            # A bad sample has no way back: it stays NaN, and is not followed.
            finite = torch.isfinite(solution.value).flatten(1).all(dim=1)
            self._check_way_back(
                problem, torch.where(per_sample(finite, solution.value), solution.value, problem.start())
            )

        def pull(upstream: Tensor, leaves: Problem, asking: Sequence[Tensor]) -> Sequence[Tensor | None]:
            with torch.enable_grad():
                start = leaves.start()
                times = torch.tensor([0.0, self.until], dtype=start.dtype, device=start.device)
                # The error of the parameters' gradients is no part of the state's: leave it out of the norm.
                value = odeint_adjoint(
                    Field(leaves, adaptive=False),
                    start,
                    times,
                    adjoint_params=tuple(asking),
                    adjoint_options={"norm": "seminorm"} if self.method in ADAPTIVE else None,
                    **self._options(start),
                )[-1]
            return torch.autograd.grad(value, asking, upstream, allow_unused=True)

        return Solution(attach(solution.value, problem, pull), None, solution.trace)

    def _check_way_back(self, problem: Problem, value: Tensor) -> None:
        start = problem.start()
        times = torch.tensor([self.until, 0.0], dtype=value.dtype, device=value.device)
        options = self._options(value)
        if self.method in ADAPTIVE:  # an explosion takes ever smaller steps: do not follow it to the end
            options["options"]["max_num_steps"] = 1000 * self.until
        try:
            back = odeint(Field(problem, adaptive=False), value, times, **options)[-1]
        except AssertionError:
            back = torch.full_like(start, torch.inf)
        off = (back - start).flatten(1).norm(dim=1) / value.flatten(1).norm(dim=1).clamp_min(1e-30)
        if not (off <= 0.01).all():
            raise AdjointError(
                f"integrated back from time {self.until} the flow misses its start by {off.max().item():.1e} of the "
                'answer: use gradient="implicit" (Implicit), or "direct", or a shorter horizon'
            )


@dataclass(frozen=True)
class _Settled(Solver):
    """The forward half of a flow, for :class:`Implicit` to differentiate."""

    flow: Flow
    accepts: ClassVar[frozenset[Kind]] = Flow.accepts

    def run(self, problem: Problem, trace: bool) -> Solution:
        return self.flow.integrate(problem, trace)


def _diagnosis(error: AssertionError, flow: Flow) -> Exception:
    if "underflow" not in str(error):
        return error
    return StiffFlowError(
        f"the step size of {flow.method} shrank to nothing (underflow in dt): the tolerances rtol = {flow.rtol:g}, "
        f"atol = {flow.atol:g} cannot be met in this precision. Loosen them, use float64, or a fixed-step method "
        'such as "rk4"; if the state grows without bound, the step expands: give the problem a safe step bound'
    )
