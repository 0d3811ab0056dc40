"""Who attends: one file per formulation, all made by name."""

from unroll.attention.base import Attention, Carry, Traits, hide_tokens
from unroll.attention.check import check_attention
from unroll.attention.convolution import Convolution
from unroll.attention.distance_projection import DistanceProjection
from unroll.attention.evolution import Evolution
from unroll.attention.evolving import EvolvingAttention
from unroll.attention.evolving_heads import EvolvingHeads, merge_untransposed
from unroll.attention.features import RandomFeatures
from unroll.attention.gated_positional import GatedPositionalAttention
from unroll.attention.hopfield import HopfieldAttention
from unroll.attention.iterative import IterativeAttention, Readout
from unroll.attention.kernel import KernelAttention
from unroll.attention.offsets import OffsetPlane, distances
from unroll.attention.padding import RealFirst
from unroll.attention.peripheral import PeripheralAttention
from unroll.attention.position_network import PositionNetwork
from unroll.attention.positional import PositionalAttention
from unroll.attention.registry import attentions, create, from_dict, names, register
from unroll.attention.relative import RelativeGrid, RelativeSequence, grid_offsets
from unroll.attention.relative_position_bias import RelativePositionBiasAttention
from unroll.attention.residual_convolution import residual_convolution
from unroll.attention.rotary import RotaryAttention
from unroll.attention.softmax import SoftmaxAttention
from unroll.attention.vars_d import VarsD
from unroll.attention.vars_s import VarsS
from unroll.attention.vars_sd import VarsSD
from unroll.verdicts import ContractError, Report, Verdict

__all__ = [
    "Attention",
    "Carry",
    "ContractError",
    "Convolution",
    "DistanceProjection",
    "Evolution",
    "EvolvingAttention",
    "EvolvingHeads",
    "GatedPositionalAttention",
    "HopfieldAttention",
    "IterativeAttention",
    "KernelAttention",
    "OffsetPlane",
    "PeripheralAttention",
    "PositionNetwork",
    "PositionalAttention",
    "RandomFeatures",
    "Readout",
    "RealFirst",
    "RelativeGrid",
    "RelativePositionBiasAttention",
    "RelativeSequence",
    "Report",
    "RotaryAttention",
    "SoftmaxAttention",
    "Traits",
    "VarsD",
    "VarsS",
    "VarsSD",
    "Verdict",
    "attentions",
    "check_attention",
    "create",
    "distances",
    "from_dict",
    "grid_offsets",
    "hide_tokens",
    "merge_untransposed",
    "names",
    "register",
    "residual_convolution",
]
