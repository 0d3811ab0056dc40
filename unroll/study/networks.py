"""A trained network in one file: its weights, and all that is needed to build it again."""

from dataclasses import asdict, dataclass
from pathlib import Path

from unroll.models import ImageModel
from unroll.study.data import DataError, load
from unroll.study.entries import Entry, Size, build
from unroll.study.training import seed_everything
from unroll.study.weights import read_weights, write_weights


@dataclass(frozen=True)
class Network:
    """A network, and what it was built from.

    Attributes:
        model: the network.
        entry: its attention.
        data: the name of the data set that it was trained on.
        size: its size.
        seed: that decided its start and its training.

    Example:
        >>> entry, size = Entry("softmax"), Size(16, 1, 2)
        >>> network = Network(build(entry, load("digits"), size), entry, "digits", size, seed=0)
        >>> network.untrained().model(torch.rand(3, 1, 8, 8)).shape
        torch.Size([3, 10])
    """

    model: ImageModel
    entry: Entry
    data: str
    size: Size
    seed: int

    def untrained(self) -> "Network":
        """Return the same network as it was before training."""
        seed_everything(self.seed)
        return Network(build(self.entry, load(self.data), self.size), self.entry, self.data, self.size, self.seed)

    def save(self, path: Path) -> None:
        """Write one safetensors file, in one move."""
        made = {"entry": self.entry.to_dict(), "data": self.data, "size": asdict(self.size), "seed": self.seed}
        write_weights(path, self.model.state_dict(), made, holds="network")


def load_network(path: Path) -> Network:
    """Return the network that :meth:`Network.save` wrote.

    Raises:
        DataError: when the file is missing, damaged, not such a file, or of a layer that has changed since.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> entry, size = Entry("softmax"), Size(16, 1, 2)
        >>> network = Network(build(entry, load("digits"), size), entry, "digits", size, seed=0)
        >>> with TemporaryDirectory() as folder:
        ...     network.save(Path(folder) / "softmax.safetensors")
        ...     again = load_network(Path(folder) / "softmax.safetensors")
        >>> again.entry == entry, again.seed
        (True, 0)
    """
    weights, made = read_weights(path, holds="network", command=f"python -m unroll train NAME --out {path}")
    entry, size = Entry.from_dict(made["entry"]), Size(**made["size"])
    model = build(entry, load(made["data"]), size)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise DataError(
            f"the weights of {path} do not fit {entry.label!r} as it is built now: train it again"
        ) from error
    return Network(model.eval(), entry, made["data"], size, made["seed"])
