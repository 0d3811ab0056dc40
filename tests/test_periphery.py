"""Where heads look: on maps whose answers are known, in trained layers, and drawn."""

import pandas as pd
import pytest
import torch
from matplotlib import pyplot as plt
from tables import SMALL, small_model

from unroll.__main__ import main
from unroll.attention import distances
from unroll.registry import Registry
from unroll.study import (
    Entry,
    Network,
    Settings,
    Size,
    attended_distance,
    build,
    draw_distances,
    draw_regions,
    draw_shares,
    load,
    nonlocality,
    periphery,
    periphery_command,
    position_share,
    radial_profile,
    reach,
    regions,
)
from unroll.study.periphery import REGIONS
from unroll.study.periphery_command import count_regions
from unroll.study.store import Store

GRID = (7, 7)


def ring(low, high, grid=GRID):
    """Return weights of one for all keys so far from their query, and of a tenth for the others; [1, N, N]."""
    apart = distances(grid)
    return torch.where((apart >= low - 1e-9) & (apart <= high + 1e-9), 1.0, 0.1)[None]


@pytest.fixture(scope="module")
def table():
    torch.manual_seed(0)
    data = load("digits")
    model = build(Entry("peripheral", model="pervit"), data, Size(dim=16, depth=3, heads=2))
    return periphery(model, data.test, images=8)


def test_the_nonlocality_of_known_maps():
    apart = distances(GRID)
    next_door = (apart - apart[0, 1]).abs() < 1e-9
    assert attended_distance(next_door.double()[None], GRID).item() == pytest.approx(1 / 3)
    assert attended_distance(torch.eye(49)[None], GRID).item() == 0
    assert nonlocality(torch.full((1, 49, 49), 0.5), GRID).item() == pytest.approx(apart.mean().item() / 2)
    signed = -next_door.double()[None]
    assert attended_distance(signed, GRID).item() == pytest.approx(1 / 3)


def test_a_profile_is_a_mean_over_pairs_at_a_distance():
    grid = (2, 3)
    radii, profile = radial_profile((distances(grid) > 0.5).double()[None], grid)
    assert radii.tolist() == [0, 1, 2]
    # At most half a place off: diagonal neighbours lie 1.41 from each other, and count as 1.
    torch.testing.assert_close(profile, torch.tensor([[0.0, 1.0, 1.0]], dtype=torch.float64))
    weights = torch.rand(3, 6, 6)
    assert radial_profile(weights, grid)[1].shape == (3, 3)
    torch.testing.assert_close(radial_profile(weights, grid)[1][:, 0], weights.diagonal(dim1=1, dim2=2).mean(1))


@pytest.mark.parametrize(
    ("weights", "far", "region"),
    [
        (ring(0, 0), 0, "central"),
        (ring(0, 0.5), 1 / 3, "para-central"),
        (ring(0.6, 0.7), 2 / 3, "para-central"),
        (ring(0.9, 1.1), 1, "mid-peripheral"),
        (ring(1.9, 2.1), 2, "far-peripheral"),
        (ring(0, 3), 7 / 3, "far-peripheral"),
        (1.1 - ring(0, 1.8), 7 / 3, "far-peripheral"),
    ],
)
def test_regions_of_known_maps(weights, far, region):
    assert reach(weights, GRID).item() == pytest.approx(far)
    assert regions(weights, GRID) == [region]


def test_opposite_corners_do_not_make_a_head_look_far():
    """They are some twenty of 2,401 pairs, and only a few queries have any."""
    weights = ring(0, 0.5) + (distances(GRID) > 2.4)
    assert reach(weights, GRID).item() == pytest.approx(1 / 3)
    assert regions(weights, GRID) == ["para-central"]


def test_regions_grow_with_the_grid():
    """The same share of the view on a finer grid is the same region."""
    for low, high in ((0, 0.5), (0.9, 1.1), (1.9, 2.1)):
        assert regions(ring(low, high, (13, 13)), (13, 13)) == regions(ring(low, high), GRID)


def test_bounds_of_regions_rise_to_the_whole_grid():
    bounds = list(REGIONS.values())
    assert bounds == sorted(bounds)
    assert bounds[-1] == 1


def test_the_share_of_position():
    content, position = torch.rand(2, 3, 9, 9).softmax(-1), torch.rand(3, 9, 9)
    own = (position / position.sum(-1, keepdim=True)).expand_as(content)
    torch.testing.assert_close(position_share(own, content, position), torch.ones(3))
    torch.testing.assert_close(position_share(content, content, position), torch.zeros(3))
    torch.testing.assert_close(position_share((own + content) / 2, content, position), torch.full((3,), 0.5))


def test_a_network_starts_local_and_ends_global(table):
    assert list(table.columns[:2]) == ["layer", "head"]
    assert len(table) == 6
    mean = table.groupby("layer")[["attended distance", "nonlocality", "reach"]].mean()
    assert (mean.diff().dropna() > 0).all().all()
    assert table.region.iloc[0] in ("central", "para-central")
    assert table.region.iloc[-1] == "far-peripheral"
    assert table["position share"].between(0, 1).all()
    assert table["position share"].iloc[0] > 0.9


def test_attentions_without_positions_have_regions_too():
    model, _ = small_model("softmax")
    found = periphery(model, load("digits").test, images=4)
    assert set(found.region) <= set(REGIONS)
    with pytest.raises(ValueError, match=r"table must have a column 'position share', which peripheral attention has"):
        draw_shares(found)


@pytest.mark.parametrize("draw", [draw_distances, draw_regions, draw_shares])
def test_figures_have_labels_units_and_a_legend(table, draw):
    figure = draw(table)
    (axis,) = figure.axes
    assert axis.get_xlabel() == "layer"
    assert axis.get_ylabel()
    assert axis.get_title()
    assert axis.get_legend() or figure.legends
    plt.close(figure)


def test_the_figure_of_regions_counts_heads(table):
    figure = draw_regions(pd.concat([table, table]))
    (axis,) = figure.axes
    heights = sum(bar.get_height() for container in axis.containers for bar in container)
    assert heights == 2 * len(table)
    assert {text.get_text() for text in figure.legends[0].get_texts()} == set(REGIONS)
    plt.close(figure)


def test_the_command_looks_at_several_networks(tmp_path, capsys):
    files, out = [], tmp_path / "made" / "periphery.csv"
    for name, seed in (("peripheral", 0), ("peripheral", 3), ("softmax", 0)):
        files.append(tmp_path / f"{name}-{seed}.safetensors")
        Network(small_model(name, seed)[0], Entry(name), "digits", SMALL, seed).save(files[-1])
    assert main(["periphery", *map(str, files), "--out", str(out)]) == 0
    table, text = pd.read_csv(out), capsys.readouterr().out
    assert table.groupby(["network", "seed"], sort=False).size().to_dict() == {
        ("peripheral", 0): 2,
        ("peripheral", 3): 2,
        ("softmax", 0): 2,
    }
    own = periphery(small_model("peripheral", 3)[0].eval(), load("digits").test)
    written = table[(table.network == "peripheral") & (table.seed == 3)]
    assert written.region.tolist() == own.region.tolist()
    assert written.nonlocality.tolist() == pytest.approx(own.nonlocality.tolist(), rel=1e-4)
    assert written["position share"].tolist() == pytest.approx(own["position share"].tolist(), rel=1e-4)
    assert table[table.network == "softmax"].nonlocality.isna().all()
    assert "nonlocality" in text
    assert "position share" in text
    assert all(region in text for region in REGIONS)
    assert text.endswith(f"Written to {out}\n")


def test_the_command_takes_the_networks_of_a_study(tmp_path, capsys, monkeypatch):
    settings = Settings(
        (Entry("softmax"), Entry("peripheral", positions=False)), data="digits", seeds=(1, 2), size=SMALL
    )
    known = Registry("preset")
    known.register("tiny")(settings)
    monkeypatch.setattr(periphery_command, "presets", known)
    store, out = Store(tmp_path / "store"), tmp_path / "periphery.csv"
    command = ["periphery", "--preset", "tiny", "--store", str(store.folder), "--out", str(out)]
    assert main(command) == 1
    assert "weights.safetensors is missing" in capsys.readouterr().err
    for seed in settings.seeds:
        entry = settings.entries[1]
        network = build(entry, load("digits"), SMALL)
        store.run(entry, seed, settings).keep_network(network, pd.DataFrame([{"value": 1}]))
    assert main(command) == 0
    assert pd.read_csv(out).groupby("seed").network.unique().map(list).to_dict() == {
        1: ["peripheral"],
        2: ["peripheral"],
    }
    capsys.readouterr()
    assert main(["periphery"]) == 1
    assert "periphery needs a FILE or --preset, got neither" in capsys.readouterr().err


def test_regions_are_counted_network_by_network():
    where = ["central", "far-peripheral", "central", "mid-peripheral"]
    counts = count_regions(pd.DataFrame({"network": list("aaab"), "seed": [0, 0, 0, 1], "region": where}))
    assert list(counts.columns) == [*REGIONS, "regions seen"]
    assert counts.loc["a", 0].tolist() == [2, 0, 0, 1, 2]
    assert counts.loc["b", 1].tolist() == [0, 0, 1, 0, 1]
    assert len(counts) == 2


def test_the_command_says_which_file_is_missing(tmp_path, capsys):
    assert main(["periphery", str(tmp_path / "none.safetensors")]) == 1
    assert "none.safetensors is missing" in capsys.readouterr().err
