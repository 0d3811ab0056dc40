"""A competitor and the network that carries it: all that decides a network before it is trained."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from unroll import validate
from unroll.attention.registry import attentions
from unroll.models import ImageModel, PerViT, Stages, ViT
from unroll.solvers import from_plain, to_plain
from unroll.study.data import Dataset


@dataclass(frozen=True)
class Entry:
    """One competitor: an attention, its options, what the tables call it, and whether its tokens tell of places.

    Args:
        attention: a registered name.
        options: further keyword arguments of its constructor.
        label: the name when None.
        positions: learned positions are added to the tokens.
        model: the network that carries it: "vit"; "pervit" for one with small convolutions before the tokens and
            positions that tokens read off their neighbours (in one stage, of the study's size); or "pervit-tiny" for
            that in the four stages that were published, whatever the study's size, with patches of 16 pixels.

    Raises:
        ValueError: on an unknown name.

    Example:
        >>> from unroll import FISTA
        >>> Entry("vars-d", {"solver": FISTA(10)}, label="ten steps").to_dict()["options"]
        {'solver': {'name': 'fista', 'steps': 10, 'restart': True, 'tol': None}}
    """

    attention: str
    options: Mapping[str, object] = field(default_factory=dict)
    label: str = ""
    positions: bool = True
    model: Literal["vit", "pervit", "pervit-tiny"] = "vit"

    def __post_init__(self) -> None:
        _ = attentions[self.attention]
        validate.choice("model", self.model, ("vit", "pervit", "pervit-tiny"))
        if not self.label:
            object.__setattr__(self, "label", self.attention)

    def to_dict(self) -> dict[str, object]:
        """Return the entry as plain values; choices are left out where they are as in files that know none."""
        chosen = {"positions": self.positions} if not self.positions else {}
        chosen |= {"model": self.model} if self.model != "vit" else {}
        return {"attention": self.attention, "options": to_plain(self.options), "label": self.label, **chosen}

    @classmethod
    def from_dict(cls, plain: Mapping[str, object]) -> "Entry":
        """Return the entry that :meth:`to_dict` described."""
        options = from_plain(plain["options"])
        positions, model = plain.get("positions", True), plain.get("model", "vit")
        return cls(plain["attention"], options, plain["label"], positions, model)


@dataclass(frozen=True)
class Size:
    """The vision transformer that carries every competitor: width, blocks, heads, hidden width of the Mlp.

    Raises:
        ValueError: when a size is not above zero.

    Example:
        >>> Size(dim=32, depth=2)
        Size(dim=32, depth=2, heads=4, mlp_ratio=2.0)
    """

    dim: int = 64
    depth: int = 4
    heads: int = 4
    mlp_ratio: float = 2.0

    def __post_init__(self) -> None:
        validate.count("dim", self.dim)
        validate.count("depth", self.depth)
        validate.count("heads", self.heads)
        validate.positive("mlp_ratio", self.mlp_ratio)


def build(entry: Entry, data: Dataset, size: Size) -> ImageModel:
    """Return the untrained network of one entry; the caller has seeded PyTorch.

    Raises:
        ValueError: when the data are cut into other patches than those of a published network.

    Example:
        >>> from unroll.study import load
        >>> digits = load("digits")
        >>> build(Entry("softmax"), digits, Size(16, 1, 2))(digits.test.first(8).images).shape
        torch.Size([8, 10])
    """
    channels, height, width = data.image_shape
    if entry.model != "vit":
        return PerViT(
            entry.attention,
            options=entry.options,
            size=_one_stage(size, data.train.patch) if entry.model == "pervit" else _published(data.train.patch),
            image_size=(height, width),
            channels=channels,
            classes=data.classes,
            mean=data.pixel_mean,
            std=data.pixel_std,
        )
    return ViT(
        entry.attention,
        options=entry.options,
        image_size=(height, width),
        channels=channels,
        classes=data.classes,
        patch=data.train.patch,
        dim=size.dim,
        depth=size.depth,
        heads=size.heads,
        mlp_ratio=size.mlp_ratio,
        positions=entry.positions,
        mean=data.pixel_mean,
        std=data.pixel_std,
    )


def _one_stage(size: Size, patch: int) -> Stages:
    halvings = patch.bit_length() - 1
    stem = tuple(max(size.dim >> (halvings - index), 1) for index in range(1, halvings + 1))
    return Stages(stem, (size.dim,), (size.depth,), heads=size.heads, mlp_ratio=size.mlp_ratio)


def _published(patch: int) -> str:
    if patch != 16:
        raise ValueError(f"model 'pervit-tiny' needs data in patches of 16 pixels, got {patch}")
    return "tiny"
