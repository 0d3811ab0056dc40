"""The probes that there are: does more thinking help, does a temperature defend, is a gradient masked?"""

from collections.abc import Mapping

import pandas as pd

from unroll.attention import SoftmaxAttention
from unroll.study.data import Split
from unroll.study.masking import check_masking
from unroll.study.networks import Network
from unroll.study.other_solvers import solvers_for, under_solvers
from unroll.study.probes import probes
from unroll.study.temperature import under_temperatures

# What is dear is asked of few images, the same ones for every network.
FEW, FEWER, QUERIES = 250, 64, 200


@probes.register("solvers")
def solvers(networks: Mapping[str, Network], exam: Split) -> pd.DataFrame:
    """Judge each network whose layers iterate under other solvers, on the first images."""
    iterative = {label: network for label, network in networks.items() if solvers_for(network.model)}
    return _one_after_the_other({label: under_solvers(each, exam.first(FEW)) for label, each in iterative.items()})


@probes.register("temperature")
def temperature(networks: Mapping[str, Network], exam: Split) -> pd.DataFrame:
    """Judge each softmax network at other temperatures, under adversarial patches."""
    softmax = {
        label: network
        for label, network in networks.items()
        if all(isinstance(block.attention, SoftmaxAttention) for block in network.model.blocks)
    }
    return _one_after_the_other({label: under_temperatures(each.model, exam) for label, each in softmax.items()})


@probes.register("masking")
def masking(networks: Mapping[str, Network], exam: Split) -> pd.DataFrame:
    """Hold the attack through each network's own gradient against all that others can do."""
    models = {label: network.model for label, network in networks.items()}
    return check_masking(models, exam, images=FEWER, queries=QUERIES)


def _one_after_the_other(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return tables as one, with the label of each in a first column."""
    return pd.concat(tables, names=["attention"]).reset_index(level=0).reset_index(drop=True)
