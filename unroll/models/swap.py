"""Another attention in a network that somebody else has written, and back."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import nn

from unroll import validate
from unroll.attention import Attention, attentions, create
from unroll.models.foreign import FAMILIES, Family, Site
from unroll.models.inherit import inherit

Where = Callable[[str], bool] | Sequence[str | int] | str | int

# Learned tokens that stand beside those of the grid.
_EXTRA_TOKENS = re.compile(r"(^|\.)(cls|class|dist|distillation|reg|register|memory)_tokens?$")


@dataclass(frozen=True, eq=False)
class Replaced:
    """One attention in the place of another.

    Attributes:
        site: the place, with the module that it held.
        family: the library of that module.
        host: what stands there now: the new layer behind the calling convention of the old.
        kept: what the new layer took over.
        lost: what the old one held or did beyond that.

    Example:
        >>> from unroll import swap
        >>> encoder = nn.TransformerEncoderLayer(16, nhead=2, batch_first=True)
        >>> (row,) = swap(encoder, "softmax").replaced
        >>> row.name, type(row.layer).__name__
        ('self_attn', 'SoftmaxAttention')
    """

    site: Site
    family: str
    host: nn.Module
    kept: tuple[str, ...]
    lost: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return the qualified name of the place."""
        return self.site.name

    @property
    def layer(self) -> Attention:
        """Return the new layer, as for ``attention_map`` or ``solve``."""
        return self.host.attention

    def __str__(self) -> str:
        change = f"{self.family} {type(self.site.module).__name__} -> {type(self.layer).__name__}"
        return f"{self.name}: {change}; kept {_listed(self.kept)}; lost {_listed(self.lost)}"


@dataclass(frozen=True, eq=False, repr=False)
class Swapped:
    """What :func:`swap` replaced; printing it shows a line a layer, and :meth:`undo` takes it back.

    Example:
        >>> from unroll import swap
        >>> encoder = nn.TransformerEncoderLayer(16, nhead=2, batch_first=True)
        >>> report = swap(encoder, "vars-d")
        >>> report.undo()
        >>> type(encoder.self_attn).__name__
        'MultiheadAttention'
    """

    attention: str
    replaced: tuple[Replaced, ...]
    _nesting: tuple[nn.TransformerEncoder, ...] = field(default=())

    def undo(self) -> None:
        """Put the very modules back that were replaced, on the device and in the mode of those that replaced them.

        Raises:
            ValueError: when a place holds something else by now, as after an undo; then nothing is changed.
        """
        for row in self.replaced:
            if row.site.occupant is not row.host:
                raise ValueError(
                    f"{row.name} must still hold what swap put there, got {type(row.site.occupant).__name__}"
                )
        for row in self.replaced:
            _follow(row.site.module, row.host)
            row.site.put(row.site.module)
        for encoder in self._nesting:
            encoder.use_nested_tensor = True

    def __repr__(self) -> str:
        count = len(self.replaced)
        title = f"{self.attention} in the place of {count} self-attention{'s' if count > 1 else ''}"
        return "\n".join([title, *(f"  {row}" for row in self.replaced)])


def swap(
    model: nn.Module,
    attention: str,
    *,
    where: Where | None = None,
    options: Mapping[str, object] | None = None,
    grid: tuple[int, int] | None = None,
) -> Swapped:
    """Replace the self-attentions of a network, in place, by the attention of that name.

    Known are ``nn.TransformerEncoderLayer``, ViT and DeiT of transformers, the vision transformers of timm and of
    vit-pytorch, and the encoders of x-transformers. Each new layer has the width, heads, device, dtype and mode of the
    old one, and starts from its weights where they have a place: softmax attention then computes the same as before,
    unless the report names something lost beside the dropout of its weights. Attentions are not dropped out.

    Args:
        model: the network. When anything raises it is left as it was.
        attention: a name known to ``unroll.attention.create``.
        where: which of the self-attentions: their qualified names, their positions among those found (from 0, or from
            the end), or a function of the name; all when None.
        options: further keyword arguments of that attention.
        grid: (height, width) of the tokens, for attentions that need or can use one: all tokens must be places of it.

    Returns:
        The report, whose ``undo`` puts the old ones back.

    Raises:
        ValueError: on an unknown attention, option, name or position; when there is nothing to replace, a network needs
            what the attention has not, or a grid is needed and there are tokens beside it.

    Example:
        >>> encoder = nn.TransformerEncoderLayer(64, 4, dropout=0.0, batch_first=True)
        >>> swap(encoder, "vars-d")
        vars-d in the place of 1 self-attention
          self_attn: torch MultiheadAttention -> VarsD; kept query, value, output; lost key
    """
    if not isinstance(model, nn.Module):
        raise ValueError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    traits = attentions[attention].traits
    needs_grid = traits.needs_grid or (traits.takes_grid and grid is not None)
    extra = [name for name, p in model.named_parameters() if _EXTRA_TOKENS.search(name) and p.numel()]
    if needs_grid and extra:
        instead = "; leave out grid, and it takes the tokens for a sequence" if traits.takes_grid else ""
        raise ValueError(
            f"attention must be one without a grid: {type(model).__name__} has tokens beside it, {', '.join(extra)}, "
            f"got {attention!r}{instead}"
        )
    hosts: dict[int, tuple[nn.Module, tuple[str, ...], tuple[str, ...]]] = {}
    rows = []
    for site, family in _choose(_find(model), where):
        if id(site.module) not in hosts:  # a module that stands in two places is replaced by one that does
            source = family.read(site)
            layer = create(attention, dim=source.dim, heads=source.heads, grid=grid, **(options or {}))
            layer = layer.to(source.value.weight)
            kept, lost = inherit(layer, source)
            hosts[id(site.module)] = family.host(layer, site.module).train(site.module.training), kept, lost
        rows.append(Replaced(site, family.name, *hosts[id(site.module)]))
    layers = list(dict.fromkeys(row.layer for row in rows))
    for index, layer in enumerate(layers):
        layer.at_depth(index, len(layers))
    # All that can fail is done: from here on the model is changed.
    nesting = {owner: None for row in rows for owner in row.site.owners if getattr(owner, "use_nested_tensor", False)}
    for encoder in nesting:
        encoder.use_nested_tensor = False
    for row in rows:
        row.site.put(row.host)
    return Swapped(attention, tuple(rows), tuple(nesting))


def _find(model: nn.Module) -> list[tuple[Site, Family]]:
    """Return the self-attentions of a network, in its order."""
    found = []
    for prefix, owner in model.named_modules():
        parts = prefix.split(".") if prefix else []
        owners = (*(model.get_submodule(".".join(parts[:depth])) for depth in range(len(parts))), owner)
        for key, module in owner._modules.items():  # named_children leaves out a module's second place
            site = Site(".".join([*parts, key]), owners, module)
            found += [(site, family) for family in FAMILIES if module is not None and family.recognises(site)]
    if not found:
        known = "; ".join(f"{family.looks_for} ({family.name})" for family in FAMILIES)
        raise ValueError(
            f"model must hold a self-attention to replace, {type(model).__name__} has none of: {known}. "
            "An earlier swap is undone first"
        )
    return found


def _choose(found: list[tuple[Site, Family]], where: Where | None) -> list[tuple[Site, Family]]:
    names = [site.name for site, _ in found]
    if where is None:
        chosen = set(names)
    elif callable(where):
        chosen = {name for name in names if where(name)}
    else:
        chosen = {_name(choice, names) for choice in ([where] if isinstance(where, (str, int)) else where)}
    if not chosen:
        raise ValueError(f"where must choose at least one of {', '.join(names)}, got {where!r}")
    return [(site, family) for site, family in found if site.name in chosen]


def _name(choice: str | int, names: list[str]) -> str:
    if isinstance(choice, str):
        return validate.choice("self-attention", choice, names)
    if isinstance(choice, bool) or not isinstance(choice, int) or not -len(names) <= choice < len(names):
        raise ValueError(f"where must hold names, or positions from {-len(names)} to {len(names) - 1}, got {choice!r}")
    return names[choice]


def _follow(module: nn.Module, leader: nn.Module) -> None:
    """Bring a module to the device, the dtype and the mode of another."""
    parameter = next(leader.parameters(), None)
    if parameter is not None:
        module.to(parameter)
    module.train(leader.training)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "nothing"
