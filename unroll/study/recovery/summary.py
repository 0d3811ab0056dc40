"""The recovery table in short: the last layer of every method."""

import pandas as pd


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row a case and method: the last error with its interval, zeros, support, parameters and seconds."""
    rows = []
    for (case, method), part in table.groupby(["case", "method"], sort=False):
        layers = part[part.condition == "layer"]
        last = layers[layers.level == layers.level.max()].set_index("measure").value
        low, high = part[part.condition == "interval"].sort_values("level").value
        training = part[part.condition == "training"].set_index("measure").value
        rows.append(
            {"case": case, "method": method, "NMSE (dB)": last["nmse"], "low": low, "high": high}
            | {"zeros": last.get("zeros"), "precision": last.get("precision"), "recall": last.get("recall")}
            | {name: training.get(name) for name in ("parameters", "seconds", "lambda")}
        )
    return pd.DataFrame(rows)
