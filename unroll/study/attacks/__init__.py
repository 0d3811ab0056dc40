"""Attacks: images changed on purpose to mislead one network, by name and at five strengths."""

from unroll.study.attacks.attack import Attack, attacks
from unroll.study.attacks.gradient import fgsm, pgd
from unroll.study.attacks.patch import adversarial_patch

__all__ = ["Attack", "adversarial_patch", "attacks", "fgsm", "pgd"]
