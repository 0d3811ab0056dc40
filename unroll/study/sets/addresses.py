"""Where published sets of images lie, and what their files must be."""

from dataclasses import dataclass

from unroll.registry import Registry


@dataclass(frozen=True)
class Remote:
    """A published file.

    Attributes:
        name: of the file.
        sha256: its checksum.
        addresses: of folders that hold it, in the order in which they are tried.
        archive: it is unpacked after it was fetched.
    """

    name: str
    sha256: str
    addresses: tuple[str, ...]
    archive: bool = False


def _idx(addresses: tuple[str, ...], checksums: tuple[str, str, str, str]) -> tuple[Remote, ...]:
    names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    return tuple(
        Remote(f"{name}-ubyte.gz", checksum, addresses) for name, checksum in zip(names, checksums, strict=True)
    )


sources: Registry[tuple[Remote, ...]] = Registry("fetchable data set")
# The addresses are those of torchvision and of TensorFlow Datasets, the checksums of TensorFlow Datasets.
sources.register("mnist")(
    _idx(
        ("https://ossci-datasets.s3.amazonaws.com/mnist", "https://storage.googleapis.com/cvdf-datasets/mnist"),
        (
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    )
)
sources.register("fashion-mnist")(
    _idx(
        ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",),
        (
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    )
)
sources.register("cifar10")(
    (
        Remote(
            "cifar-10-binary.tar.gz",
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            ("https://www.cs.toronto.edu/~kriz",),
            archive=True,
        ),
    )
)
sources.register("mnist-c")(
    (
        Remote(
            "mnist_c.zip",
            "af9ee8c6a815870c7fdde5af84c7bf8db0bcfa1f41056db83871037fba70e493",
            ("https://zenodo.org/records/3239543/files", "https://zenodo.org/record/3239543/files"),
            archive=True,
        ),
    )
)
sources.register("cifar10-c")(
    (
        Remote(
            "CIFAR-10-C.tar",
            "c72763e101c723b7c507b96205f7e938912a5d587376173b825850cf3cb876a7",
            ("https://zenodo.org/records/2535967/files", "https://zenodo.org/record/2535967/files"),
            archive=True,
        ),
    )
)
