"""Folders of results with an effect planted in them: what each claim's evidence ought to find.

Written from the statements of the claims and from what the tables look like, not from the code that reads them.
"""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import pandas as pd

# How much is on the claimed side, seed by seed, in units of what is planted.
EFFECTS = {
    "holds": (5.0, 6.0, 4.0, 5.5, 4.5),
    "the opposite holds": (-5.0, -6.0, -4.0, -5.5, -4.5),
    "not seen": (5.0, -5.0, 4.0, -4.0, 0.5),
    "no verdict": (5.0, 6.0),
}
COMMON = (
    *("gaussian noise", "shot noise", "impulse noise", "defocus blur", "glass blur", "motion blur", "zoom blur"),
    *("snow", "frost", "fog", "brightness", "contrast", "elastic transform", "pixelate", "jpeg compression"),
)
DECOY = -9  # what must not be read carries the opposite effect, and more of it

Gains = tuple[float, ...]
Plant = Callable[[Path, Gains], None]


def image_table(path: Path, rows: list[tuple]) -> None:
    columns = ["attention", "seed", "measure", "condition", "level", "value"]
    write(path, pd.DataFrame(rows, columns=columns))


def write(path: Path, table: pd.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False)


def more(folder: str, high: str, low: str, measure: str, *conditions: str, scale: float = 1.0) -> Plant:
    """``high`` has more of the measure than ``low``, under each of the conditions."""

    def plant(results: Path, gains: Gains) -> None:
        rows = []
        for (seed, gain), condition, level in product(enumerate(gains), conditions, range(1, 6)):
            base = 50 + 3 * seed + level
            rows.append((high, seed, measure, condition, level, base + scale * gain))
            rows.append((low, seed, measure, condition, level, base))
            rows.append((high, seed, "another measure", condition, level, base + DECOY * gain))
            rows.append((f"{high}, another", seed, measure, condition, level, base + DECOY * gain))
            if measure == "accuracy":
                rows.append((high, seed, measure, "another condition", level, base + DECOY * gain))
        image_table(results / folder / "table.csv", rows)

    return plant


def above(folder: str, who: str, threshold: float, measure: str, condition: str, level: int, scale: float) -> Plant:
    """``who`` has more of the measure than the threshold."""

    def plant(results: Path, gains: Gains) -> None:
        rows = []
        for seed, gain in enumerate(gains):
            rows.append((who, seed, measure, condition, level, threshold + scale * gain))
            rows.append((who, seed, "another measure", condition, level, threshold + DECOY * scale * gain))
            rows.append(("another", seed, measure, condition, level, threshold + DECOY * scale * gain))
            if measure == "accuracy":
                rows.append((who, seed, measure, condition, level - 1, threshold + DECOY * scale * gain))
        image_table(results / folder / "table.csv", rows)

    return plant


def corruptions(high: str, low: str) -> Plant:
    """``high`` errs less under all common corruptions; softmax, the yardstick, has its level and wins nothing."""

    def plant(results: Path, gains: Gains) -> None:
        rows = []
        for seed, gain in enumerate(gains):
            everyone = {low: 50.0 + seed, high: 50.0 + seed + gain, "softmax": 50.0 + (low == "softmax") * seed}
            for who, accuracy in everyone.items():
                rows.append((who, seed, "accuracy", "clean", 0, 98.0))
                rows += [(who, seed, "accuracy", name, level, accuracy) for name in COMMON for level in range(1, 6)]
                rows += [(who, seed, "accuracy", "shift", level, 50 + DECOY * gain) for level in range(1, 6)]
        image_table(results / "laptop" / "table.csv", rows)

    return plant


def steps(results: Path, gains: Gains) -> None:
    """Ten steps of vars-d do better than five under noise, and worse elsewhere; those of others do worse."""
    rows = []
    for (seed, gain), severity in product(enumerate(gains), range(1, 6)):
        for solver, value in {"as trained": 9.0, "5 plain steps": 50.0, "10 plain steps": 50 + gain}.items():
            rows.append(("vars-d", seed, solver, "gaussian noise", severity, value))
            rows.append(("vars-d", seed, solver, "fgsm", severity, 50 + DECOY * (value - 50)))
            rows.append(("vars-sd", seed, solver, "gaussian noise", severity, 50 + DECOY * (value - 50)))
    columns = ["attention", "seed", "solver", "condition", "severity", "accuracy"]
    write(results / "laptop" / "solvers.csv", pd.DataFrame(rows, columns=columns))


def series(ours: str, rivals: tuple[str, ...], above: float = 0.0) -> Plant:
    """``ours`` is better than the best rival on each set by so many per cent: more accuracy, or less error."""

    def plant(results: Path, gains: Gains) -> None:
        rows = []
        for seed, gain in enumerate(gains):
            better = (above + gain) / 100
            for name, measure, best, worse, value in (
                ("a", "accuracy", rivals[0], rivals[-1], 50 * (1 + better)),
                ("b", "accuracy", rivals[-1], rivals[0], 50 * (1 + better)),
                ("c", "RMSE", rivals[-1], rivals[0], 50 * (1 - better)),
            ):
                loser = 10 if measure == "accuracy" else 90
                scores = {worse: loser, best: 50, ours: value, "another": 50 * (1 + DECOY * better)}
                rows += [(who, seed, name, measure, score) for who, score in scores.items()]
        columns = ["model", "seed", "set", "measure", "value"]
        write(results / "timeseries" / "table.csv", pd.DataFrame(rows, columns=columns))

    return plant


def series_maps(results: Path, gains: Gains) -> None:
    """Neighbouring maps are more alike in the evolving transformer; those of the first layer less."""
    rows = []
    for (seed, gain), name, layer in product(enumerate(gains), "ab", (2, 3)):
        for who, value in {"transformer": 0.0, "transformer, evolving": gain, "EA-DC": DECOY * gain}.items():
            rows.append((who, seed, name, layer, "similarity to the layer before", value / 20))
            rows.append((who, seed, name, layer, "similarity to layer 1", DECOY * value / 20))
    columns = ["model", "seed", "set", "layer", "measure", "value"]
    write(results / "timeseries" / "maps.csv", pd.DataFrame(rows, columns=columns))


def deeper(measure: str, other: str) -> Plant:
    """Heads of the last layer have more of the measure than those of the first; those between have less."""

    def plant(results: Path, gains: Gains) -> None:
        rows = []
        for (seed, gain), head in product(enumerate(gains), (1, 2)):
            for layer, value in {1: 0.0, 2: DECOY * gain, 3: gain}.items():
                rows.append({"seed": seed, "layer": layer, "head": head, measure: 9 + value, other: 9 - value})
        write(results / "positions" / "periphery.csv", pd.DataFrame(rows))

    return plant


def errors(case: str, ours: str, *rivals: str) -> Plant:
    """``ours`` has the smaller error of all, in the last layer; signals are many, whatever the seeds."""

    def plant(results: Path, gains: Gains) -> None:
        gain = sum(gains) / len(gains)
        last = {rival: -20.0 + 3 * place for place, rival in enumerate(rivals)} | {ours: -20.0 - gain}
        rows = []
        for method, error in last.items():
            rows += [(method, "layer", layer, "nmse", error if layer == 16 else -error) for layer in range(17)]
            rows += [(method, "layer", layer, "zeros", -99 * error) for layer in range(17)]
            rows += [(method, "interval", 0.025, "nmse", error - 1), (method, "interval", 0.975, "nmse", error + 1)]
        columns = ["method", "condition", "level", "measure", "value"]
        write(results / "recovery" / f"{case}.csv", pd.DataFrame(rows, columns=columns))

    return plant


def salient(results: Path, gains: Gains) -> None:
    """Softmax loses more where salient patches are blanked; others lose less."""
    rows = []
    for (seed, gain), level in product(enumerate(gains), range(1, 6)):
        rows.append(("softmax", seed, "accuracy", "non-salient occlusion", level, 60))
        rows.append(("softmax", seed, "accuracy", "salient occlusion", level, 60 - gain))
        rows.append(("vars-d", seed, "accuracy", "non-salient occlusion", level, 60))
        rows.append(("vars-d", seed, "accuracy", "salient occlusion", level, 60 - DECOY * gain))
        rows.append(("softmax", seed, "accuracy", "token occlusion", level, 60 - DECOY * gain))
    image_table(results / "laptop" / "table.csv", rows)


def temperature(results: Path, gains: Gains) -> None:
    """A temperature of 2 helps softmax under the patch, one of 8 ruins it; below 1 all is well, and does not count."""
    rows = []
    for (seed, gain), severity in product(enumerate(gains), (1, 2)):
        for heat, value in {0.5: 99, 1.0: 30, 2.0: 30 + gain, 8.0: 2}.items():
            rows.append(("softmax", seed, heat, "adversarial patch", severity, value))
            rows.append(("softmax", seed, heat, "clean", 0, 98 - DECOY * heat))
            rows.append(("hopfield", seed, heat, "adversarial patch", severity, 50 + DECOY * gain * heat))
    columns = ["attention", "seed", "temperature", "condition", "severity", "accuracy"]
    write(results / "laptop" / "temperature.csv", pd.DataFrame(rows, columns=columns))


def masking(results: Path, gains: Gains) -> None:
    """PGD by own gradients leaves less accuracy than all else; one network of two has the smaller margin."""
    rows = []
    for (seed, gain), (who, more), epsilon in product(enumerate(gains), {"a": 0, "b": 20}.items(), (0.1, 0.2)):
        rows.append((who, seed, "pgd", "itself", epsilon, 40))
        rows.append((who, seed, "fgsm", "itself", epsilon, 70))
        rows.append((who, seed, "pgd", "another network", epsilon, 40 + gain + more))
        rows.append((who, seed, "square", "its logits", epsilon, 80))
    columns = ["attention", "seed", "attack", "source", "epsilon", "accuracy"]
    write(results / "laptop" / "masking.csv", pd.DataFrame(rows, columns=columns))


_LAYERS = ("layer 2", "layer 3")
_NEXT = "similarity to the layer before"
_PUBLISHED = "vars-d, published"

PLANTS: dict[str, Plant] = {
    "vars-noise": more("vars", _PUBLISHED, "softmax", "accuracy", "gaussian noise"),
    "vars-occlusion": more("vars", _PUBLISHED, "softmax", "accuracy", "token occlusion"),
    "vars-attack": more("vars", _PUBLISHED, "softmax", "accuracy", "fgsm"),
    "sparse-noise": more("vars", "vars-d", "softmax", "accuracy", "gaussian noise"),
    "vars-maps": more("vars", "softmax", _PUBLISHED, "effective tokens", *_LAYERS),
    "sparse-maps": more("vars", "softmax", "vars-d", "effective tokens", *_LAYERS),
    "sparse-code": above("vars", "vars-d", 0.2, "exact zeros", "layer 1", 0, 0.01),
    "more-steps": steps,
    "evolving-clean": more("evolving", "evolving", "softmax", "accuracy", "clean"),
    "evolving-convolution": more(
        "evolving", "evolving, without relative positions", "evolving, residual logits alone", "accuracy", "clean"
    ),
    "evolving-maps": more("evolving", "evolving", "softmax", _NEXT, *_LAYERS, scale=0.05),
    "series-maps": series_maps,
    "series-gain": series("EA-DC", ("transformer",)),
    "series-best": series("EA-DC", ("transformer", "dilated convolution"), above=17),
    "series-convolution": series("EA-DC", ("residual logits",)),
    "local-to-global": deeper("nonlocality", "attended distance"),
    "heard-local-to-global": deeper("attended distance", "nonlocality"),
    "peripheral-clean": more("positions", "peripheral", "softmax", "accuracy", "clean"),
    "peripheral-shift": more("positions", "peripheral", "softmax", "accuracy", "shift"),
    "occlusion": above("vars", "softmax", 60, "accuracy", "token occlusion", 5, 1),
    "momentum": errors("snr-40", "FISTA", "ISTA"),
    "unrolled-codes": errors("snr-40", "ALISTA", "FISTA", "ISTA"),
    "unrolled-denoising": errors("denoising", "ALISTA", "ISTA", "FISTA"),
    "unrolled-sensing": errors("compressed-sensing", "ALISTA", "FISTA", "ISTA"),
    "learned-denoising": errors("denoising", "LISTA", "ISTA", "FISTA"),
    "learned-sensing": errors("compressed-sensing", "LISTA", "FISTA", "ISTA"),
    "analytic-weights": errors("snr-40", "ALISTA", "LISTA"),
    "support": errors("snr-40", "LISTA-CPSS", "LISTA-CP"),
    "vars-corruptions": corruptions(_PUBLISHED, "softmax"),
    "both-dictionaries-dynamic": corruptions("vars-sd", "vars-d"),
    "both-dictionaries-static": corruptions("vars-sd", "vars-s"),
    "natural-patches": more("laptop", "softmax", "convolution", "accuracy", "natural patch"),
    "adversarial-patches": more("laptop", "convolution", "softmax", "accuracy", "adversarial patch"),
    "temperature": temperature,
    "salient-patches": salient,
    "gradients-not-masked": masking,
}
