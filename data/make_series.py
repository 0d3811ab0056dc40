"""Make the sets of time series of this folder from the package that ships them, without installing it.

    pip download --no-deps aeon==1.6.0 && python data/make_series.py aeon-1.6.0-py3-none-any.whl

A wheel is a zip file. The series and the split are the archives' own; only the text is left out, so the files are a
fifth of the size. The checksums in ``unroll/study/series/data.py`` hold wherever zlib is the same.
"""

import sys
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import numpy as np

from unroll.study.series.ts_format import parse_ts

FOLDER = Path(__file__).parent
NAMES = (
    "GunPoint",
    "ItalyPowerDemand",
    "ArrowHead",
    "OSULeaf",
    "ACSF1",
    "BasicMotions",
    "JapaneseVowels",
    "PickupGestureWiimoteZ",
    "Covid3Month",
    "CardanoSentiment",
)


def write(name: str, wheel: ZipFile) -> None:
    """Write one set: all steps of all series one after the other, the lengths, the targets, how many are train."""
    places = [f"aeon/datasets/data/{name}/{name}_{part}.ts" for part in ("TRAIN", "TEST")]
    train, test = (parse_ts(wheel.read(place).decode("utf-8", errors="replace"), place) for place in places)
    series = train.series + test.series
    path = FOLDER / f"{name}.npz"
    np.savez_compressed(
        path,
        values=np.concatenate(series),
        lengths=np.array([len(values) for values in series]),
        targets=np.concatenate([train.targets, test.targets]),
        classes=np.array(train.classes, dtype=str),
        train=np.array(len(train.series)),
    )
    lengths = sorted({len(values) for values in series})
    print(  # noqa: T201
        f"{path.name}: {len(train.series)} + {len(test.series)} series, {lengths[0]} to {lengths[-1]} steps, "
        f"{series[0].shape[1]} channels, {len(train.classes) or 'no'} classes, {path.stat().st_size} bytes, "
        f"sha256 {sha256(path.read_bytes()).hexdigest()}"
    )


def main() -> None:
    with ZipFile(sys.argv[1]) as wheel:
        for name in NAMES:
            write(name, wheel)


if __name__ == "__main__":
    main()
