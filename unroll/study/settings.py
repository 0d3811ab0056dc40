"""What a study is made of, as plain frozen settings that can be written to a file."""

from dataclasses import asdict, dataclass, field
from typing import Literal

from unroll import validate
from unroll.study.data import datasets
from unroll.study.entries import Entry, Size
from unroll.study.probes import probes
from unroll.study.recipe import Recipe
from unroll.study.robustness import STANDARD, conditions


@dataclass(frozen=True)
class Settings:
    """A whole study: who, on what, how, and with which seeds.

    ``judged_on`` is "test" (networks learn from train and validation together) or "validation" (they learn from train
    alone), where settings are chosen. ``conditions`` names the corruptions and attacks that networks are put to,
    ``probes`` what further tables are made of the trained networks.

    Raises:
        ValueError: on an unknown data set, condition or probe, two entries with one label, or no entries, conditions or
            seeds.

    Example:
        >>> study = Settings((Entry("softmax"), Entry("vars-d")), data="digits", seeds=(0, 1, 2))
        >>> study.to_dict()["seeds"]
        [0, 1, 2]
    """

    entries: tuple[Entry, ...]
    data: str = "mnist5k"
    seeds: tuple[int, ...] = (0,)
    recipe: Recipe = field(default_factory=Recipe)
    size: Size = field(default_factory=Size)
    judged_on: Literal["test", "validation"] = "test"
    conditions: tuple[str, ...] = STANDARD
    probes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _ = datasets[self.data]
        validate.choice("judged_on", self.judged_on, ("test", "validation"))
        if not self.conditions:
            raise ValueError("conditions must name at least one corruption or attack, got none")
        for name in self.conditions:
            validate.choice("condition", name, conditions())
        for name in self.probes:
            _ = probes[name]
        labels = [entry.label for entry in self.entries]
        if not labels:
            raise ValueError("entries must name at least one attention, got none")
        if len(set(labels)) < len(labels):
            raise ValueError(f"entries must have labels of their own, got {labels}")
        if not self.seeds:
            raise ValueError("seeds must hold at least one seed, got none")
        for seed in self.seeds:
            validate.count("seed", seed, low=0)

    def to_dict(self) -> dict[str, object]:
        """Return the settings as plain values, fit for JSON; conditions and probes only where they were chosen."""
        entries = [entry.to_dict() for entry in self.entries]
        return {
            "data": self.data,
            "judged_on": self.judged_on,
            "seeds": list(self.seeds),
            "entries": entries,
            "recipe": self.recipe.to_dict(),
            "size": asdict(self.size),
            **({} if self.conditions == STANDARD else {"conditions": list(self.conditions)}),
            **({"probes": list(self.probes)} if self.probes else {}),
        }
