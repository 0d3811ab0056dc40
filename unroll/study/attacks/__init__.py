"""Attacks: images changed on purpose to mislead one network, by name and at five strengths."""

from unroll.study.attacks.attack import Attack, attacks
from unroll.study.attacks.auto import autoattack
from unroll.study.attacks.gradient import fgsm, pgd
from unroll.study.attacks.patch import adversarial_patch
from unroll.study.attacks.squares import square_attack

__all__ = ["Attack", "adversarial_patch", "attacks", "autoattack", "fgsm", "pgd", "square_attack"]
