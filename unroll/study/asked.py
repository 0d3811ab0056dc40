"""The probes that there are: does more thinking help, does a temperature defend, is a gradient masked?"""

from collections.abc import Mapping

import pandas as pd

from unroll.attention import Attention, SoftmaxAttention, VarsS
from unroll.study.data import Split
from unroll.study.masking import check_masking
from unroll.study.networks import Network
from unroll.study.other_solvers import solvers_for, under_solvers
from unroll.study.probes import probes
from unroll.study.temperature import under_temperatures

# What is dear is asked of few images, the same ones for every network; and not of vars-s, of which a CPU would have the
# same in ten times as long.
FEW, FEWER, QUERIES = 250, 64, 200
THINKING = ("gaussian noise", "token occlusion")


@probes.register("solvers")
def solvers(networks: Mapping[str, Network], exam: Split) -> pd.DataFrame:
    """Judge each network whose layers iterate under other solvers, on the first images, under noise and occlusion."""
    iterative = {label: each for label, each in _quick(networks).items() if solvers_for(each.model)}
    tables = {label: under_solvers(each, exam.first(FEW), conditions=THINKING) for label, each in iterative.items()}
    return _one_after_the_other(tables)


@probes.register("temperature")
def temperature(networks: Mapping[str, Network], exam: Split) -> pd.DataFrame:
    """Judge each softmax network at other temperatures, under adversarial patches."""
    softmax = {label: each for label, each in networks.items() if _attends_by(SoftmaxAttention, each)}
    return _one_after_the_other({label: under_temperatures(each.model, exam) for label, each in softmax.items()})


@probes.register("masking")
def masking(networks: Mapping[str, Network], exam: Split) -> pd.DataFrame:
    """Hold the attack through each network's own gradient against all that others can do."""
    models = {label: each.model for label, each in _quick(networks).items()}
    return check_masking(models, exam, images=FEWER, queries=QUERIES)


def _quick(networks: Mapping[str, Network]) -> dict[str, Network]:
    return {label: each for label, each in networks.items() if not _attends_by(VarsS, each)}


def _attends_by(attention: type[Attention], network: Network) -> bool:
    return all(isinstance(block.attention, attention) for block in network.model.blocks)


def _one_after_the_other(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return tables as one, with the label of each in a first column."""
    return pd.concat(tables, names=["attention"]).reset_index(level=0).reset_index(drop=True)
