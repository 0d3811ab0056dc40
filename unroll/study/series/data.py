"""Sets of time series by name: verified, with the archives' own splits, padded and masked."""

from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from pathlib import Path
from typing import Annotated, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from unroll import validate
from unroll.described import Described
from unroll.registry import Registry, suggest
from unroll.study.data import DataError, data_folder, verified
from unroll.study.series.ts_format import SeriesFile, read_ts

CHECKSUMS = {
    "GunPoint": "a7555ba26a61b9f728a3afc3d4755dc1ab7fefe203f9ee97edbd6e9273daad8e",
    "ItalyPowerDemand": "8a6c053d1e5e2c5b1953f49e27dcd52ae59bbeac77623fdb9907055f61a8b261",
    "ArrowHead": "02f02603c0584eda05a120ac1690542e399b3ad9f8aa691573357275747d7e5b",
    "OSULeaf": "f30dbaebf02ba16a776a69fd1d10ed5179bf7e161f5b5c44642f0c493d055c84",
    "ACSF1": "4cb9c3cf523ee2dcaad08d631725e0384728a9f94661625af01d50e77d4dd944",
    "BasicMotions": "46325d536f0ccf1f65be9bda1f262fd407eefd638bec95dc80580439b7b952ef",
    "JapaneseVowels": "44cf45c461cf6b7db859f2915d5a354479c657e636920964871a2ae68320e72f",
    "PickupGestureWiimoteZ": "12075c917a17fb76b433faa5a60c10032227919eeae942632529239c8467be7a",
    "Covid3Month": "4c2a54d25dea4d3b60e26fb9b062ad922e559fb02dd28d5e061d7f10d91cd6e9",
    "CardanoSentiment": "8303ed0b24f08bac862a63ff4f6a34e828641bd76794cba2ff6e75bd4efd9d02",
}


@dataclass(frozen=True, eq=False)
class SeriesSplit(Described):
    """Series and what they belong to.

    Attributes:
        values: float32, zero behind the end of a series.
        mask: True for the steps of a series.
        targets: the number of the class, int64, or the number to be regressed, float32.

    Example:
        >>> load_series("GunPoint").test
        SeriesSplit(values=float32[150, 150, 1], mask=bool[150, 150], targets=int64[150])
    """

    values: Annotated[Tensor, "n steps channels"]
    mask: Annotated[Tensor, "n steps"]
    targets: Annotated[Tensor, "n"]

    def __len__(self) -> int:
        return len(self.targets)

    def to(self, device: torch.device) -> Self:
        """Return the same series on a device."""
        return replace(self, values=self.values.to(device), mask=self.mask.to(device), targets=self.targets.to(device))


@dataclass(frozen=True, eq=False)
class SeriesDataset(Described):
    """A set of time series with the archive's own split. Nothing is chosen by looking at ``test``.

    Attributes:
        classes: the names of the classes; none for regression.

    Example:
        >>> print(load_series("JapaneseVowels").told())
        JapaneseVowels: 7 to 29 steps x 12 channels, 9 classes, 270 train, 370 test
    """

    name: str
    train: SeriesSplit
    test: SeriesSplit
    classes: tuple[str, ...]

    @property
    def channels(self) -> int:
        """Numbers a time step."""
        return self.train.values.shape[2]

    @property
    def length(self) -> int:
        """Steps of the longest series."""
        return self.train.values.shape[1]

    @property
    def outputs(self) -> int:
        """Numbers that a model returns: one a class, or one."""
        return len(self.classes) or 1

    def told(self) -> str:
        """Return in a line what the set holds."""
        shortest = int(torch.cat([self.train.mask, self.test.mask]).sum(dim=1).min())
        steps = f"{self.length}" if shortest == self.length else f"{shortest} to {self.length}"
        goal = f"{len(self.classes)} classes" if self.classes else "a number to regress"
        sizes = f"{len(self.train)} train, {len(self.test)} test"
        return f"{self.name}: {steps} steps x {self.channels} channels, {goal}, {sizes}"

    def standardised(self) -> Self:
        """Return the same set with channels of mean 0 and deviation 1, by the training series alone.

        Padding counts in neither and stays zero; a channel that never changes is only shifted.
        """
        real = self.train.values[self.train.mask]
        mean, std = real.mean(dim=0), real.std(dim=0)
        std = torch.where(std > 0, std, torch.ones_like(std))

        def scale(split: SeriesSplit) -> SeriesSplit:
            return replace(split, values=((split.values - mean) / std).masked_fill(~split.mask[..., None], 0))

        return replace(self, train=scale(self.train), test=scale(self.test))

    def shortened(self, longest: int) -> Self:
        """Return series of at most ``longest`` steps: means over windows, the smallest that do, alike in both splits.

        A window that reaches over the end of a series is the mean of its real steps.

        Raises:
            ValueError: when ``longest`` is not a whole number above zero.
        """
        window = ceil(self.length / validate.count("longest", longest))

        def pool(split: SeriesSplit) -> SeriesSplit:
            missing = -self.length % window
            mask = F.pad(split.mask, (0, missing)).unflatten(1, (-1, window))
            values = F.pad(split.values, (0, 0, 0, missing)).unflatten(1, (-1, window))
            real = mask.sum(dim=2).clamp_min(1)[..., None]
            return replace(split, values=values.sum(dim=2) / real, mask=mask.any(dim=2))

        return self if window == 1 else replace(self, train=pool(self.train), test=pool(self.test))


series_sets: Registry[partial[SeriesDataset]] = Registry("series set")


def load_series(name: str, folder: Path | None = None) -> SeriesDataset:
    """Return a set of time series, as it was published.

    Args:
        name: of a shipped set; or, with ``folder``, of any set of the UCR and UEA archives.
        folder: where the archive lies unpacked: it holds NAME/NAME_TRAIN.ts and NAME/NAME_TEST.ts.

    Raises:
        ValueError: when no shipped set has that name; the nearest is suggested.
        DataError: when a file is missing, damaged or does not match its checksum, or holds NaN or infinity.

    Example:
        >>> data = load_series("JapaneseVowels")
        >>> data.train.values.shape, data.train.mask.sum(dim=1)[:3].tolist(), len(data.classes)
        (torch.Size([270, 29, 12]), [20, 26, 22], 9)
    """
    data = series_sets[name]() if folder is None else read_uea(name, folder)
    for part, split in (("train", data.train), ("test", data.test)):
        bad = ~torch.isfinite(split.values).flatten(1).all(dim=1) | ~torch.isfinite(split.targets)
        if bad.any():
            first = int(bad.nonzero()[0])
            raise DataError(
                f"series set {name!r}: {int(bad.sum())} {part} series hold NaN or infinity, the first is number {first}"
            )
    return data


def read_uea(name: str, folder: Path) -> SeriesDataset:
    """Read a set of the UCR or UEA archive from its two .ts files.

    Raises:
        DataError: when the set or a file is missing, or a file is damaged, or the two do not fit each other.
    """
    if not (folder / name).is_dir():
        held = [path.name for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
        raise DataError(f"folder {folder} must hold a folder {name!r}: {suggest(name, held)}")
    parts = [read_ts(folder / name / f"{name}_{part}.ts") for part in ("TRAIN", "TEST")]
    return assemble(name, *parts)


def assemble(name: str, train: SeriesFile, test: SeriesFile) -> SeriesDataset:
    """Return a set from what its two files hold.

    Raises:
        DataError: when the two have other classes or another number of channels.
    """
    for what, one, other in (
        ("classes", train.classes, test.classes),
        ("channels", train.series[0].shape[1], test.series[0].shape[1]),
    ):
        if one != other:
            raise DataError(f"series set {name!r}: the {what} of train and test must agree, got {one} and {other}")
    length = max(len(values) for values in [*train.series, *test.series])
    return SeriesDataset(name, _pad(train, length), _pad(test, length), train.classes)


def read_packed(name: str, *, checksum: str, folder: Path | None = None) -> SeriesDataset:
    """Read ``name``.npz, as ``data/make_series.py`` writes it, after holding it against its sha256.

    Raises:
        DataError: when the file is missing or its checksum differs.
    """
    path = verified((folder or data_folder()) / f"{name}.npz", checksum)
    with np.load(path, allow_pickle=False) as archive:
        ends = archive["lengths"].cumsum()
        series = np.split(archive["values"], ends[:-1])
        targets, classes, count = archive["targets"], tuple(archive["classes"].tolist()), int(archive["train"])
    train = SeriesFile(series[:count], targets[:count], classes)
    return assemble(name, train, SeriesFile(series[count:], targets[count:], classes))


def _pad(file: SeriesFile, length: int) -> SeriesSplit:
    values = torch.zeros(len(file.series), length, file.series[0].shape[1])
    mask = torch.zeros(len(file.series), length, dtype=torch.bool)
    for index, series in enumerate(file.series):
        values[index, : len(series)] = torch.from_numpy(series)
        mask[index, : len(series)] = True
    return SeriesSplit(values, mask, torch.from_numpy(file.targets))


for _name, _checksum in CHECKSUMS.items():
    series_sets.register(_name)(partial(read_packed, _name, checksum=_checksum))
