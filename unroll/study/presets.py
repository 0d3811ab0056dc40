"""Studies by name: the settings of what is committed in results/."""

import json
from collections.abc import Mapping

from unroll.registry import Registry
from unroll.study.corruptions import COMMON
from unroll.study.crop_flip import RandomCropFlip
from unroll.study.entries import Entry, Size
from unroll.study.search import DRAW_10, LADDER, VARIATIONS, drawn
from unroll.study.settings import Settings
from unroll.study.training import Recipe

_PUBLISHED = Entry("vars-d", {"published": True}, "vars-d, published")
# Of the draws, those that there was time for; the training of draw 8, with learned factors, diverged.
_DRAWS = tuple(drawn(10)[number - 1] for number in (1, 2, 4, 6, 10))
# A true threshold on what carries the published layer: sparse, but with no energy to descend.
_FACTORS = Entry(
    "vars-d",
    {"learned_gram": True, "bound": "released", "learned_readout": True},
    "vars-d, learned factors",
)
# The sturdiest draw of the search with a true threshold and a convex energy.
_DRAWN = Entry("vars-d", DRAW_10, "vars-d, draw 10")
# Attentions that tell places apart by themselves, on tokens that do not.
_PLACED = tuple(
    Entry(name, positions=False) for name in ("relative-position-bias", "gated-positional", "rotary", "peripheral")
)
_FOUR = (
    Entry("softmax"),
    Entry("kernel"),
    Entry("vars-d"),
    _PUBLISHED,
)

presets: Registry[Settings] = Registry("preset")
# One seed, minutes on a laptop: a demonstration, which carries no verdict.
presets.register("quick")(Settings(_FOUR, seeds=(0,), recipe=Recipe(epochs=25)))
# Five seeds, trained to a plateau: the README's table, and whether the claim of VARS comes true.
presets.register("vars")(
    Settings(
        (Entry("softmax"), Entry("vars-d"), _PUBLISHED, _FACTORS, _DRAWN),
        seeds=(0, 1, 2, 3, 4),
        recipe=Recipe(epochs=60, compile=True),
    )
)
# What evolving maps add to softmax attention, one part after the other.
presets.register("evolving")(
    Settings(
        (
            Entry("softmax"),
            Entry("evolving", {"convolution": False, "relative": False}, "evolving, residual logits alone"),
            Entry("evolving", {"relative": False}, "evolving, without relative positions"),
            Entry("evolving"),
        ),
        seeds=(0, 1, 2, 3, 4),
        recipe=Recipe(epochs=60),
    )
)
# How the default of vars-d was found, judged on the validation split.
presets.register("vars-search")(
    Settings(
        (Entry("softmax"), Entry("vars-d"), _PUBLISHED, *LADDER, *_DRAWS, *VARIATIONS),
        judged_on="validation",
        recipe=Recipe(epochs=40),
    )
)
# Five seeds, trained to a plateau: learned positions against attentions that know of places, where the image moves or
# parts of it are missing. Softmax attention that knows nothing of places is the floor.
presets.register("positions")(
    Settings(
        (Entry("softmax"), Entry("softmax", label="softmax, no positions", positions=False), *_PLACED),
        seeds=(0, 1, 2, 3, 4),
        recipe=Recipe(epochs=60),
        conditions=("shift", "token occlusion"),
    )
)
# Every attention under everything, with what is asked of trained networks together: the large comparison. vars-s takes
# a CPU ten times as long as the others.
_EVERY = (
    Entry("softmax"),
    Entry("convolution"),
    Entry("kernel"),
    Entry("hopfield"),
    Entry("vars-d"),
    _PUBLISHED,
    _DRAWN,
    Entry("vars-s"),
    Entry("vars-sd"),
    Entry("evolving"),
    *_PLACED,
)
_HARDSHIPS = ("salient occlusion", "non-salient occlusion", "patch shuffling", "natural patch", "shift")
presets.register("laptop")(
    Settings(
        _EVERY,
        seeds=(0, 1, 2, 3, 4),
        recipe=Recipe(epochs=60),
        conditions=(*COMMON, "token occlusion", *_HARDSHIPS, "fgsm", "pgd", "adversarial patch"),
        probes=("solvers", "temperature", "masking"),
    )
)
# The same on digits of 8 x 8 pixels, where the common corruptions leave nothing to see.
presets.register("laptop-digits")(
    Settings(
        _EVERY,
        data="digits",
        seeds=(0, 1, 2, 3, 4),
        recipe=Recipe(epochs=120),
        conditions=("gaussian noise", "token occlusion", *_HARDSHIPS[:3], "fgsm", "pgd", "adversarial patch"),
        probes=("temperature",),
    )
)
# CIFAR-10 with networks of full size, for a GPU. python -m unroll fetch cifar10 comes first.
presets.register("gpu")(
    Settings(
        (*_FOUR, Entry("evolving"), Entry("peripheral", positions=False)),
        data="cifar10",
        seeds=(0, 1, 2),
        recipe=Recipe(epochs=200, batch=128, learning_rate=1e-3, augment=RandomCropFlip(), compile=True),
        size=Size(dim=192, depth=9, heads=12, mlp_ratio=2.0),
    )
)
# ImageNet, or as much of it as fits into memory, in UNROLL_DATA/imagenet (train/ and val/, one subfolder a class):
# torchrun --nproc-per-node 8 -m unroll study --preset imagenet, where each process holds all the images.
presets.register("imagenet")(
    Settings(
        (
            Entry("softmax", label="ViT-Ti"),
            Entry("peripheral", label="PerViT-T", positions=False, model="pervit-tiny"),
        ),
        data="imagenet",
        recipe=Recipe(epochs=300, batch=1024, learning_rate=1e-3, augment=RandomCropFlip(padding=28)),
        size=Size(dim=192, depth=12, heads=3, mlp_ratio=4.0),
    )
)


def command_for(configuration: Mapping[str, object]) -> str | None:
    """Return the command that makes the study of this configuration, or None when no preset has its settings."""
    for name in presets:
        wanted = json.loads(json.dumps(presets[name].to_dict()))
        if wanted == {key: configuration.get(key) for key in wanted}:
            return f"python -m unroll study --preset {name}"
    return None
