"""The search over the settings of VARS: repeatable draws, all of which can be built and trained."""

import pytest
import torch
from tables import SMALL

from unroll.study import build, load, presets
from unroll.study.search import LADDER, SPACE, drawn


def test_draws_are_repeatable_and_a_longer_search_begins_like_a_shorter_one():
    assert drawn(5) == drawn(9)[:5]
    assert drawn(5, seed=1) != drawn(5)
    assert [entry.label for entry in drawn(3)] == ["draw 01", "draw 02", "draw 03"]


def test_every_choice_is_drawn_sooner_or_later():
    entries = drawn(400)
    for choices in SPACE.values():
        for choice in choices:
            assert any(choice.items() <= entry.options.items() for entry in entries), choice
    assert {entry.attention for entry in entries} == {"vars-d", "vars-sd"}


@pytest.mark.parametrize("entry", [*LADDER, *drawn(12)], ids=lambda entry: entry.label)
def test_what_is_searched_can_learn(entry):
    torch.manual_seed(0)
    data = load("digits")
    logits = build(entry, data, SMALL)(data.train.images[:4])
    logits.square().sum().backward()
    assert torch.isfinite(logits).all()


def test_settings_are_chosen_where_the_test_split_is_not_seen():
    assert presets["vars-search"].judged_on == "validation"
    assert presets["vars"].judged_on == "test"
    assert len(presets["vars"].seeds) >= 5
