"""How many steps and seconds each solver needs to come near the optimum, and what a step costs.

    make bench        (or: python benchmarks/solvers.py)

writes solvers.csv, coordinate_descent.csv, implicit_gradients.csv and solvers.json beside this file. Timings are of
one machine: compare rows, not machines.
"""

import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import Lasso
from torch import Tensor
from tqdm.auto import tqdm

from unroll import FISTA, L1, Reconstruction, Solver, Unrolled, create
from unroll.problems import LCA, duality_gap, largest_eigenvalue
from unroll.solvers import Anderson, Flow, Implicit
from unroll.study import patches, photograph
from unroll.study.environment import describe_environment
from unroll.study.files import write_aside
from unroll.study.timing import paired_seconds

FOLDER = Path(__file__).parent
GAPS = (1e-3, 1e-6)
LAMBDA = 0.5

SOLVERS: dict[str, Solver] = {
    "unrolled (ISTA)": Unrolled(6000),
    "FISTA": FISTA(1500, restart=False),
    "FISTA, restart": FISTA(1500),
    "Anderson": Anderson(1000, tol=None),
    "flow, Euler": Flow(3000, "euler", tol=None),
    "flow, dopri5": Flow(300, tol=None, rtol=1e-5),
    "LCA, Anderson": Anderson(300, tol=None),
    "LCA, flow, dopri5": Flow(300, tol=None, rtol=1e-5),
}


def natural_patches(count: int = 2000, atoms: int = 256, side: int = 8) -> tuple[Tensor, Tensor]:
    """Return templates [side^2, atoms] and values [side^2, count]: patches of two photographs, mean removed.

    Templates are patches of one photograph with unit norm, values patches of the other in units of their standard
    deviation.
    """
    rng = np.random.default_rng(0)

    def draw(name: str, number: int) -> Tensor:
        cut = patches(photograph(name), side)
        cut = cut - cut.mean(dim=1, keepdim=True)
        lively = cut[cut.std(dim=1) > 0.02]
        return lively[torch.from_numpy(rng.choice(len(lively), number, replace=False))].T

    templates, values = draw("flower", atoms), draw("china", count)
    return templates / templates.norm(dim=0), values / values.std()


def patch_problem() -> Reconstruction:
    """Return the patches as one sample of 2,000 columns."""
    f, v = natural_patches()
    gram = f.T @ f
    return Reconstruction(gram, (f.T @ v)[None], L1(LAMBDA), lipschitz=largest_eigenvalue(gram)[None])


def layer_problem(**options: object) -> Reconstruction:
    """Return the problem that 196 random tokens pose to ``vars-d``, four samples of three heads."""
    torch.manual_seed(0)
    layer = create("vars-d", dim=192, heads=3, **options)
    with torch.no_grad():
        return layer.bind(torch.randn(4, 196, 192))[0]


PROBLEMS: dict[str, Callable[[], Reconstruction]] = {
    "2,000 patches, 256 atoms": patch_problem,
    "vars-d, default": layer_problem,
    "vars-d, published features": lambda: layer_problem(templates=128, temperature=1.0, weight=0.3),
}


def in_double(problem: Reconstruction) -> Reconstruction:
    """Return the same problem in float64, in which the optimum is known well enough."""
    gram, correlation = problem.gram.double(), problem.correlation.double()
    return Reconstruction(gram, correlation, problem.penalty, lipschitz=problem.lipschitz.double())


@torch.no_grad()
def convergence() -> pd.DataFrame:
    """Return calls of step and seconds until the relative energy gap of the worst sample is small, in float64."""
    rows = []
    for name, make in tqdm(PROBLEMS.items(), desc="problems"):
        problem = in_double(make())
        first = problem.energy(problem.start())
        best = problem.energy(FISTA(20_000, tol=1e-11)(problem).value)
        for label, solver in SOLVERS.items():
            posed = LCA(problem) if label.startswith("LCA") else problem
            trace = solver(posed, trace=True).trace
            gap = ((trace.energy - best) / (first - best)).amax(dim=1)
            row = {"problem": name, "solver": label}
            for limit in GAPS:
                reached = (gap <= limit).nonzero()
                at = int(reached[0]) if len(reached) else None
                row[f"nfe to {limit:g}"] = None if at is None else int(trace.nfe[at])
                row[f"seconds to {limit:g}"] = None if at is None else trace.time[at].item()
            rows.append(row)
    return pd.DataFrame(rows)


@torch.no_grad()
def against_coordinate_descent(target: float = 1e-5) -> pd.DataFrame:
    """Return the least seconds after which the duality gap of every patch is at most ``target``, or the gap reached.

    Both work in float64 on the same Gram matrix, each with the loosest of a ladder of settings that gets there.
    """
    f, v = (part.double() for part in natural_patches())
    # The products are formed in float64 too: a Gram matrix rounded to float32 is another problem, 2e-4 away.
    gram = f.T @ f
    problem = Reconstruction(gram, (f.T @ v)[None], L1(LAMBDA), lipschitz=largest_eigenvalue(gram)[None])

    def judge(codes: Callable[[float], Tensor], ladder: Sequence[float]) -> dict[str, float]:
        for setting in ladder:
            began = time.perf_counter()
            code = codes(setting)
            seconds = time.perf_counter() - began
            gap = duality_gap(problem, code, v.square().sum(0)[None]).max().item()
            if gap <= target:
                break
        return {"setting": setting, "seconds": seconds, "largest gap": gap}

    def coordinate_descent(tol: float) -> Tensor:
        # scikit-learn divides the squared error by the number of rows.
        lasso = Lasso(alpha=LAMBDA / len(f), fit_intercept=False, precompute=gram.numpy(), tol=tol, max_iter=100_000)
        return torch.from_numpy(lasso.fit(f.numpy(), v.numpy()).coef_.T)[None]

    ladder = [400, 800, 1600, 3200, 4800]
    rows = {
        "scikit-learn, coordinate descent": judge(coordinate_descent, [1e-4, 1e-5, 1e-6, 1e-7, 3e-8, 1e-8, 1e-9]),
        "FISTA, restart": judge(lambda steps: FISTA(steps)(problem).value, ladder),
        "Anderson": judge(lambda steps: Anderson(steps, tol=None)(problem).value, ladder),
    }
    return pd.DataFrame(rows).T.rename_axis("solver").reset_index()


def implicit_gradients() -> pd.DataFrame:
    """Return what a tolerance buys: the error of the implicit gradient, calls of step forwards and backwards, bytes.

    The published features' problem in float64, a tolerance for the code and the same for the backward system; the error
    is relative, by the correlations, against a gradient at 1e-11.
    """
    posed = in_double(PROBLEMS["vars-d, published features"]())

    def gradient(solver: Solver, tol: float) -> tuple[Tensor, dict[str, object]]:
        correlation = posed.correlation.clone().requires_grad_()
        problem = Reconstruction(posed.gram, correlation, posed.penalty, lipschitz=posed.lipschitz)
        kept: dict[int, int] = {}

        def pack(tensor: Tensor) -> Tensor:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        began = time.perf_counter()
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            solution = Implicit(solver, Anderson(2000, tol=tol, history=20))(problem, trace=True)
            (slope,) = torch.autograd.grad(solution.value.square().sum() / 2, correlation)
        row = {
            "tolerance": tol,
            "nfe forwards": int(solution.trace.nfe[-1]),
            "nfe backwards": int(solution.backward.solution.trace.nfe[-1]),
            "seconds": time.perf_counter() - began,
            "kilobytes kept": sum(kept.values()) / 1e3,
        }
        return slope, row

    exact, _ = gradient(FISTA(20_000, tol=1e-11), 1e-11)
    rows = []
    for tol in (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-8):
        slope, row = gradient(FISTA(20_000, tol=tol), tol)
        rows.append({**row, "relative error of the gradient": ((slope - exact).norm() / exact.norm()).item()})
    return pd.DataFrame(rows)


@torch.no_grad()
def cost_of_a_step(rounds: int = 99) -> float:
    """Return the time of one ISTA step over that of its bare matrix product: 48 problems, 128 atoms, 64 columns."""
    f = torch.randn(16, 3, 128, 128) / 128**0.5
    problem = Reconstruction(f.mT @ f, torch.randn(16, 3, 128, 64), L1(0.1))
    z = torch.randn_like(problem.correlation)
    works = {"step": lambda: problem.step(z, 0), "product": lambda: problem.gram @ z}
    seconds = paired_seconds(works, rounds)
    return statistics.median(a / b for a, b in zip(seconds["step"], seconds["product"], strict=True))


def main() -> None:
    tables = {
        "solvers.csv": convergence(),
        "coordinate_descent.csv": against_coordinate_descent(),
        "implicit_gradients.csv": implicit_gradients(),
    }
    for name, table in tables.items():
        write_aside(FOLDER / name, lambda path, table=table: table.to_csv(path, index=False, float_format="%.4g"))
        print(table.to_string(index=False, float_format="{:.3g}".format))  # noqa: T201
    made = {**describe_environment(torch.device("cpu")), "step over its matrix product": round(cost_of_a_step(), 2)}
    write_aside(FOLDER / "solvers.json", lambda path: path.write_text(json.dumps(made, indent=2) + "\n"))
    print(made)  # noqa: T201


if __name__ == "__main__":
    main()
