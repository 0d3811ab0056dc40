"""Studies by name: the settings of what is committed in results/."""

from unroll.registry import Registry
from unroll.study.settings import Entry, Settings
from unroll.study.training import Recipe

FOUNDATION = (
    Entry("softmax"),
    Entry("kernel"),
    Entry("vars-d"),
    Entry("vars-d", {"published": True}, "vars-d, published"),
)

presets: Registry[Settings] = Registry("preset")
# One seed, minutes on a laptop: a demonstration, which carries no verdict.
presets.register("quick")(Settings(FOUNDATION, seeds=(0,), recipe=Recipe(epochs=25)))
# Three seeds, trained to a plateau: the README's table.
presets.register("foundation")(Settings(FOUNDATION, seeds=(0, 1, 2), recipe=Recipe(epochs=60)))
