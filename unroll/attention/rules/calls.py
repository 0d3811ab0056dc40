"""Rules about calls: what goes in, what comes out, what is refused."""

import torch
from torch import Tensor

from unroll.attention.base import Attention, Carry
from unroll.attention.rules.base import rules
from unroll.verdicts import gap, refused


@rules.rule("shapes", "return one token a token, [B, N, C], and a map [B, heads or 1, N, N]")
def shapes(layer: Attention, x: Tensor) -> float:
    samples, tokens, _ = x.shape
    maps = [(samples, heads, tokens, tokens) for heads in (1, layer.heads)]
    return float(layer(x).shape != x.shape) + float(layer.attention_map(x).shape not in maps)


@rules.rule("forward is attend", "let forward return the tokens of attend, and nothing else compute them")
def forward_is_attend(layer: Attention, x: Tensor) -> float:
    y, _ = layer.attend(x)
    return gap(layer(x), y)


@rules.rule("carry", "write your own field with dataclasses.replace and pass the others on")
def carry(layer: Attention, x: Tensor) -> float:
    """A layer that carries nothing hands on what it was given; one that does keeps at least one field of two."""
    samples, tokens, _ = x.shape
    logits = x.new_zeros(samples, layer.heads, tokens, tokens)
    _, first = layer.attend(x)
    code = first.code if layer.traits.carries and first is not None else x.new_zeros(1)
    given = Carry(logits=logits, code=code)
    _, returned = layer.attend(x, given)
    if not layer.traits.carries:
        return float(returned is not given)
    return float(returned is None or (returned.logits is not logits and returned.code is not code))


@rules.rule("no silent mask", "let check_input see the mask, in attention_map too")
def mask_is_refused(layer: Attention, x: Tensor) -> float | str:
    if layer.traits.masks:
        return "masks is declared"
    mask = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
    return _both_refuse(layer, x, mask, "mask")


@rules.rule("wrong masks are refused", "call check_input(x, mask) first, in attention_map too")
def wrong_masks_are_refused(layer: Attention, x: Tensor) -> float | str:
    if not layer.traits.masks:
        return "masks is not declared"
    mask = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
    wrong = (mask.to(x.dtype), mask[:, 1:], mask[..., None])
    return sum(_both_refuse(layer, x, one, "mask") for one in wrong)


@rules.rule("wrong width is refused", "call check_input(x, mask) first, in attention_map too")
def width_is_refused(layer: Attention, x: Tensor) -> float:
    return _both_refuse(layer, torch.cat([x, x[..., :1]], dim=-1), None, "x ")


@rules.rule("wrong dtype is refused", "call check_input(x, mask) first, in attention_map too")
def dtype_is_refused(layer: Attention, x: Tensor) -> float | str:
    if next(layer.parameters(), None) is None:
        return "there are no weights to differ from"
    return sum(_both_refuse(layer, x.to(kind), None, "x ") for kind in (torch.float32, torch.long))


@rules.rule("another grid is refused", "call check_input(x, mask) first, in attention_map too")
def grid_is_refused(layer: Attention, x: Tensor) -> float | str:
    if not layer.traits.needs_grid:
        return "needs_grid is not declared"
    return _both_refuse(layer, x[:, 1:], None, "grid")


@rules.rule("bad heads are refused", "hand dim and heads to Attention.__init__, unchanged")
def heads_are_refused(layer: Attention, x: Tensor) -> float:
    wrong = (0, layer.dim + 1, 1.5)
    return sum(
        refused(lambda heads=heads: type(layer)(**layer.settings | {"heads": heads}), "heads") for heads in wrong
    )


def _both_refuse(layer: Attention, x: Tensor, mask: Tensor | None, name: str) -> float:
    """Return how many of forward and attention_map do not refuse the call by naming the argument."""
    return sum(refused(lambda call=call: call(x, mask), name) for call in (layer, layer.attention_map))
