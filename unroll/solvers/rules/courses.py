"""Rules about the trace: how the solver got there, measured without getting in its way."""

import torch

from unroll.solvers.base import Solver
from unroll.solvers.rules.base import rules, trial
from unroll.verdicts import gap


@rules.rule("looking changes nothing", "run the same code with and without a trace", tolerance=1e-12)
def looking_changes_nothing(solver: Solver) -> float:
    return gap(solver(trial(), trace=True).value, solver(trial()).value)


@rules.rule("no trace unasked", "return trace=None unless trace=True")
def no_trace_unasked(solver: Solver) -> float:
    return float(solver(trial()).trace is not None or solver(trial(), trace=True).trace is None)


@rules.rule("trace shapes", "measure with solvers.recorder.Recorder, once an iterate, the start included")
def trace_shapes(solver: Solver) -> float:
    problem = trial()
    trace = solver(problem, trace=True).trace
    rows, samples = len(trace.nfe), len(problem.drive)
    wrong = [
        trace.nfe.shape != (rows,) or trace.time.shape != (rows,),
        any(column.shape != (rows, samples) for column in (trace.residual, trace.energy, trace.sparsity)),
        trace.residual.requires_grad or trace.energy.requires_grad,
        not ((trace.sparsity >= 0) & (trace.sparsity <= 1)).all(),
        (trace.time.diff() < 0).any() or (trace.nfe.diff() < 0).any() or trace.nfe[0] != 0,
    ]
    return float(sum(map(bool, wrong)))


@rules.rule("trace ends at the value", "measure the last iterate too: the one that is returned", tolerance=1e-12)
def trace_ends_at_the_value(solver: Solver) -> float:
    problem = trial()
    solution = solver(problem, trace=True)
    value, trace = solution.value.detach(), solution.trace
    sparsity = (value == 0).to(trace.sparsity).mean(dim=1)
    return max(
        gap(trace.residual[-1], problem.residual(value, problem.step(value, 0))),
        gap(trace.energy[-1], problem.energy(value)),
        gap(trace.sparsity[-1], sparsity),
    )


@rules.rule("nfe counts steps", "count each call of step that leads on, and none that measures")
def nfe_counts_steps(solver: Solver) -> float:
    """Against the problem's own count. A flow also looks at its residual once a unit of time, which is not counted."""
    counted, looked_at = trial(), trial()
    with torch.no_grad():
        solver(counted)
        trace = solver(looked_at, trace=True).trace
    calls, nfe, rows = len(counted.calls), int(trace.nfe[-1]), len(trace.nfe)
    looks = 0 if trace.flow_time is None else rows - 1
    return float(not nfe <= calls <= nfe + looks or len(looked_at.calls) - calls != rows)
