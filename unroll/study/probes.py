"""Further tables of a study, beside the tidy one: what is asked of all trained networks of one seed together."""

from collections.abc import Callable, Mapping

import pandas as pd

from unroll.registry import Registry
from unroll.study.data import Split
from unroll.study.networks import Network

# From the networks of one seed by their labels, and the split that is judged on, to a table with "attention" and
# "accuracy" (%) among its columns.
Probe = Callable[[Mapping[str, Network], Split], pd.DataFrame]

probes: Registry[Probe] = Registry("probe")
