"""The course of a training in files: a table that any program reads, and TensorBoard where it is installed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
from accelerate.tracking import TensorBoardTracker

from unroll.study.files import write_aside
from unroll.study.progress import Epoch

TABLE, BOARD = "training.csv", "tensorboard"


@dataclass(frozen=True)
class Logs:
    """Where the course of a training is written: ``training.csv``, one row an epoch.

    Args:
        folder: made when it is not there.
        tensorboard: also write the folder ``tensorboard`` in it, which ``tensorboard --logdir`` shows.

    Raises:
        ModuleNotFoundError: when ``tensorboard`` is asked for and not installed.

    Example:
        >>> Logs(Path("runs/logs")).tensorboard
        False
    """

    folder: Path
    tensorboard: bool = False

    def __post_init__(self) -> None:
        if self.tensorboard and find_spec("tensorboard") is None:
            raise ModuleNotFoundError(
                "tensorboard=True needs the package tensorboard, which is not installed: "
                "python -m pip install 'unroll[logs]', or leave it out and read training.csv"
            )

    @contextmanager
    def opened(self, epochs: Sequence[Epoch]) -> Iterator["Log"]:
        """Open the log of a training that has come so far; a training that goes on writes none of its epochs twice."""
        self.folder.mkdir(parents=True, exist_ok=True)
        board = None
        if self.tensorboard:
            # What an interrupted training showed from here on, TensorBoard drops.
            board = TensorBoardTracker(BOARD, self.folder, purge_step=epochs[-1].step if epochs else 0)
            board.start()
        log = Log(self.folder / TABLE, board)
        try:
            if epochs:  # it may have been cut off between its checkpoint and this
                log.write(epochs)
            yield log
        finally:
            if board is not None:
                board.finish()


@dataclass(frozen=True)
class Log:
    """The log of one training.

    Attributes:
        path: of the table.
        board: TensorBoard's writer, where there is one.
    """

    path: Path
    board: TensorBoardTracker | None

    def write(self, epochs: Sequence[Epoch]) -> None:
        """Write the epochs so far, the last of which is new."""
        # The whole table anew: a row from before an interruption is neither lost nor there twice.
        table = pd.DataFrame([asdict(epoch) for epoch in epochs])
        write_aside(self.path, lambda aside: table.to_csv(aside, index=False))
        if self.board is not None:
            values = {name: value for name, value in asdict(epochs[-1]).items() if value is not None}
            self.board.log(values, step=values.pop("step"))
