"""Corruptions of images at five severities, the same for every network that is compared."""

from unroll.study.corruptions.base import SEVERITIES, Condition, Corruption, corrupt, corruptions
from unroll.study.corruptions.catalogue import COMMON
from unroll.study.corruptions.kept import Copies

__all__ = ["COMMON", "SEVERITIES", "Condition", "Copies", "Corruption", "corrupt", "corruptions"]
