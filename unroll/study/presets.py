"""Studies by name: the settings of what is committed in results/."""

from unroll.registry import Registry
from unroll.study.search import drawn
from unroll.study.settings import Entry, Settings
from unroll.study.training import Recipe

_PUBLISHED = Entry("vars-d", {"published": True}, "vars-d, published")
FOUNDATION = (
    Entry("softmax"),
    Entry("kernel"),
    Entry("vars-d"),
    _PUBLISHED,
)

presets: Registry[Settings] = Registry("preset")
# One seed, minutes on a laptop: a demonstration, which carries no verdict.
presets.register("quick")(Settings(FOUNDATION, seeds=(0,), recipe=Recipe(epochs=25)))
# Three seeds, trained to a plateau: the README's table.
presets.register("foundation")(Settings(FOUNDATION, seeds=(0, 1, 2), recipe=Recipe(epochs=60)))
# The settings of VARS, drawn at random and judged on the validation split; with three that are not drawn.
presets.register("vars-search")(
    Settings(
        (Entry("softmax"), Entry("vars-d"), _PUBLISHED, *drawn(60)),
        judged_on="validation",
        recipe=Recipe(epochs=40, compile=True),
    )
)
