"""Is a network robust, or only its gradient useless? The white-box attack must be the strongest of all."""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd
from torch import nn

from unroll import validate
from unroll.attention import IterativeAttention
from unroll.models import ImageModel
from unroll.solvers import Solver, Unrolled
from unroll.study.attacks import fgsm, pgd, square_attack
from unroll.study.data import Split
from unroll.study.other_solvers import with_solver
from unroll.study.training import accuracy

ITSELF, SCORES = "itself", "its logits"  # whence an attack knows the network, where no other network is its source


def check_masking(
    networks: Mapping[str, nn.Module],
    data: Split,
    epsilon: float = 0.04,
    *,
    images: int = 128,
    steps: int = 50,
    queries: int = 500,
    solver: Solver = Unrolled(20),
) -> pd.DataFrame:
    """Attack each network with its own gradient, with those of others, and without any; return its accuracy (%).

    One row a network and attack: attention, attack, source, epsilon, images, accuracy. White-box are the rows of "pgd"
    whose source is "itself". The others must not get lower: "fgsm", a single step; "pgd" made on another network
    (transfer); "pgd" made through another solver with the same weights, where layers are iterative; and "square", which
    sees nothing but logits. :func:`masked` holds them against each other.

    Args:
        networks: trained networks of the same data, by the attention they are known for.
        data: clean images and their labels.
        epsilon: largest change of a pixel, in pixels that run from 0 to 1. Where the white-box attack leaves nothing
            standing, the check can find nothing.
        images: how many images, the first ones of ``data``.
        steps: of PGD.
        queries: of the Square attack, an image.
        solver: the other solver.

    Raises:
        ValueError: when networks is empty, or a number is out of its range.
        NonFiniteLossError: when a gradient is not finite.

    Source: Athalye, Carlini and Wagner 2018, who list what tells of a masked gradient.

    Example:
        >>> from unroll.study import Entry, Size, build, load
        >>> digits = load("digits")
        >>> networks = {name: build(Entry(name), digits, Size(16, 1, 2)) for name in ("softmax", "kernel")}
        >>> table = check_masking(networks, digits.test, images=8, steps=2, queries=2)
        >>> print(table[table.attention == "kernel"][["attack", "source"]].to_string(index=False))
        attack     source
           pgd     itself
          fgsm     itself
           pgd    softmax
        square its logits
    """
    if not networks:
        raise ValueError("networks must hold at least one network, got none")
    part = data.first(validate.count("images", images))
    made = {name: pgd(model, part, epsilon, steps=steps) for name, model in networks.items()}
    rows = []
    for name, model in networks.items():
        trials = {("pgd", ITSELF): made[name], ("fgsm", ITSELF): fgsm(model, part, epsilon)}
        trials |= {("pgd", other): made[other] for other in networks if other != name}
        if _iterates(model):
            trials["pgd", f"itself under {solver}"] = pgd(with_solver(model, solver), part, epsilon, steps=steps)
        trials["square", SCORES] = square_attack(model, part, epsilon, queries=queries)
        for (attack, source), changed in trials.items():
            row = {"attention": name, "attack": attack, "source": source, "epsilon": epsilon, "images": len(part)}
            rows.append({**row, "accuracy": accuracy(model, replace(part, images=changed))})
    return pd.DataFrame(rows)


def masked(table: pd.DataFrame) -> pd.DataFrame:
    r"""Return the verdict on each network of a table of :func:`check_masking`: one row an attention.

    A gradient is masked when some other attack leaves fewer images standing than the white-box one, by more than one
    standard error of a share of n images,

    .. math:: \sqrt{\tilde a (1 - \tilde a) / (n + 4)}, \qquad \tilde a = (n a + 2) / (n + 4)

    with a the accuracy under the white-box attack; the two images more of either kind keep the error from vanishing at
    0 and 100 %. All attacks face the same images, so that this is generous. Not masked means that nothing was found.

    Columns: attention; white_box and other, the accuracies (%) under the white-box attack and the strongest other;
    attack and source of that; tolerance, in points; masked.

    Source: Agresti and Coull 1998, for the error of a share.

    Raises:
        ValueError: when an attention has not exactly one white-box row, or no other.

    Example:
        >>> rows = [("pgd", "itself", 60.0), ("fgsm", "itself", 65.0), ("square", "its logits", 20.0)]
        >>> table = pd.DataFrame(rows, columns=["attack", "source", "accuracy"]).assign(attention="odd", images=128)
        >>> masked(table)[["attention", "attack", "masked"]].values.tolist()
        [['odd', 'square', True]]
    """
    rows = []
    for name, part in table.groupby("attention", sort=False):
        white = (part.attack == "pgd") & (part.source == ITSELF)
        if white.sum() != 1 or white.all():
            raise ValueError(
                f"table must hold one white-box row and others for each attention, got not so for {name!r}"
            )
        own, best = part[white].iloc[0], part.loc[part[~white].accuracy.idxmin()]
        share = (own.images * own.accuracy / 100 + 2) / (own.images + 4)
        tolerance = 100 * (share * (1 - share) / (own.images + 4)) ** 0.5
        rows.append(
            {
                "attention": name,
                "white_box": own.accuracy,
                "other": best.accuracy,
                "attack": best.attack,
                "source": best.source,
                "tolerance": tolerance,
                "masked": bool(best.accuracy < own.accuracy - tolerance),
            }
        )
    return pd.DataFrame(rows)


def _iterates(model: nn.Module) -> bool:
    return isinstance(model, ImageModel) and any(isinstance(b.attention, IterativeAttention) for b in model.blocks)
