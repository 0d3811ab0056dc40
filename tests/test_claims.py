"""Claims: each is judged on results with an effect planted in them, or on its identity; each can fail."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from planted import EFFECTS, PLANTS, steps, write
from tables import SHORT

from unroll.__main__ import main
from unroll.solvers import Unrolled
from unroll.study import Entry, Finding, Settings, Size, build, load, periphery, run_study
from unroll.study.claims import Claim, Estimate, NotThereError, claims, identities, judge_claims, told
from unroll.study.claims.evidence import by_seed
from unroll.study.claims.identities import EXACT, largest
from unroll.study.claims.laptop import Masking, Tempered
from unroll.study.claims.recovery import Decibels
from unroll.study.claims.table import NUMBERS, read_claims
from unroll.study.series import SeriesRecipe, SeriesSettings, run_series_study

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
# What makes each identity untrue.
BROKEN = {
    "one-step": lambda: identities.retrieval(steps=2),
    "shared-kernel": lambda: identities.shared_kernel(weight=0.5),
    "no-positions": lambda: identities.shuffled(positions=True),
    "no-way-back": lambda: identities.without_the_way(Unrolled(5)),
}
NO_SEEDS = {name for name in claims if isinstance(claims[name].evidence, Decibels)}


@pytest.fixture(scope="module")
def judged():
    return judge_claims(RESULTS)


def test_no_claim_is_without_a_test():
    assert set(PLANTS) | set(BROKEN) == set(claims)
    assert set(BROKEN) == {name for name in claims if claims[name].live}


@pytest.mark.parametrize(
    ("name", "verdict"),
    [(name, verdict) for name in PLANTS for verdict in EFFECTS if (verdict, name in NO_SEEDS) != ("no verdict", True)],
)
def test_a_planted_effect_is_found(name, verdict, tmp_path):
    claim = claims[name]
    with pytest.raises(NotThereError, match="is not there"):
        claim.evidence(tmp_path)
    PLANTS[name](tmp_path, EFFECTS[verdict])
    found = claim.evidence(tmp_path)
    assert claim.judge(found).word == verdict
    assert found.low <= found.value <= found.high
    assert found.n == (10_000 if name in NO_SEEDS else len(EFFECTS[verdict]))


@pytest.mark.parametrize("name", BROKEN)
def test_an_identity_holds_and_its_check_can_fail(name):
    claim = claims[name]
    before = torch.random.get_rng_state()
    assert claim.judge(claim.evidence(Path("nowhere"))) is Finding.HOLDS
    broken = largest(BROKEN[name])
    assert broken.value > 0.01
    assert claim.judge(broken) is Finding.REVERSED
    assert torch.equal(torch.random.get_rng_state(), before)


def test_what_is_not_a_number_is_no_identity():
    assert largest(lambda: float("inf")).value == float("inf")
    assert largest(lambda: 0.0).value == 0
    assert largest(lambda: 3e-15).value == 1e-14  # up, never down


def test_claims_are_told_in_full():
    for name in claims:
        claim = claims[name]
        assert all((claim.statement.endswith("."), claim.source, claim.here))
        assert claim.command.startswith("python -m unroll ")
        assert "|" not in f"{claim.statement}{claim.source}{claim.here}{claim.command}"
    with pytest.raises(ValueError, match=r"unknown direction 'most'"):
        Claim("It is.", "us", "this", "python -m unroll claims", Tempered(), direction="most")


def test_committed_claims_are_those_of_the_committed_results(judged):
    committed = read_claims(RESULTS / "claims.csv")
    live = [claims[name].live for name in committed.name]
    assert committed.name.tolist() == list(claims)
    # What is below an identity's tolerance is rounding, which differs from machine to machine.
    assert (committed[live].value < EXACT).all()
    pd.testing.assert_frame_equal(
        committed.assign(**{column: committed[column].mask(live, 0) for column in NUMBERS}),
        judged.assign(**{column: judged[column].mask(live, 0) for column in NUMBERS}),
        rtol=1e-4,
        check_dtype=False,
    )
    assert (RESULTS / "claims.md").read_text() == told(committed)


def test_numbers_are_those_that_the_results_tell_of(judged):
    """Typed from the texts beside the results, which were written before there was a table of claims."""
    known = {
        "vars-noise": (11.4, 3.4, 19.4),
        "vars-occlusion": (-7.5, -12.2, -2.9),
        "vars-attack": (-15.6, -25.1, -6.1),
        "sparse-noise": (-2.1, -5.4, 1.2),
        "evolving-clean": (0.2, -0.1, 0.6),
        "evolving-convolution": (-0.1, -0.8, 0.6),
        "peripheral-clean": (0.7, 0.4, 1.1),
        "peripheral-shift": (13.0, 10.5, 15.6),
    }
    for name, expected in known.items():
        row = judged.set_index("name").loc[name]
        assert (row.value, row.low, row.high) == pytest.approx(expected, abs=0.06), name


def test_the_command_writes_the_table(tmp_path, capsys):
    results, out = tmp_path / "results", tmp_path / "deep" / "verdicts.csv"
    PLANTS["vars-noise"](results, EFFECTS["holds"])
    assert main(["claims", "--results", str(results), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "vars-noise" in said
    table = pd.read_csv(out).set_index("name")
    assert table.verdict["vars-noise"] == "holds"
    assert table.reason["vars-occlusion"] == (
        "the table has no accuracy of 'vars-d, published' under 'token occlusion'"
    )
    assert table.reason["occlusion"].endswith("under 'token occlusion' at level 5")
    assert table.reason["momentum"] == "recovery/snr-40.csv is not there"
    text = out.with_suffix(".md").read_text()
    assert text.count("\n| Recurrent sparse reconstruction, as published, stands noise") == 1
    assert "| +5.00 points (+4.02 to +5.98); g = 5.0; 5 seeds; claimed: more than 0 | **holds** |" in text
    assert all(finding.meaning in text for finding in Finding)
    assert "Not run:\n\n" in text
    assert main(["claims", "--results", str(results)]) == 0
    assert (results / "claims.csv").read_text() == out.read_text()
    assert main(["claims", "--results", str(tmp_path / "nowhere")]) == 1
    assert "results must be a folder of results, got" in capsys.readouterr().err


def test_nothing_is_waiting_when_all_are_run(judged):
    run = judged[judged.verdict != "not run"]
    assert "Not run:" not in told(run)
    assert set(judged.verdict) <= {finding.word for finding in Finding}


def test_a_temperature_is_not_chosen_on_the_seed_that_it_is_judged_by(tmp_path):
    """Each seed has a temperature of its own that is best by far; the others' choice gains it nothing."""
    rows = [
        ("softmax", seed, heat, "adversarial patch", 1, 90 if heat == seed + 2 else 30)
        for seed in range(5)
        for heat in range(1, 7)
    ]
    columns = ["attention", "seed", "temperature", "condition", "severity", "accuracy"]
    write(tmp_path / "laptop" / "temperature.csv", pd.DataFrame(rows, columns=columns))
    assert Tempered()(tmp_path).value == 0
    for kept in ("seed == 0", "temperature <= 1", "temperature > 1"):
        write(tmp_path / "laptop" / "temperature.csv", pd.DataFrame(rows, columns=columns).query(kept))
        with pytest.raises(NotThereError, match=r"lacks temperature 1, one above, or a second seed of 'softmax'"):
            Tempered()(tmp_path)


def test_one_masked_network_is_enough(tmp_path):
    PLANTS["gradients-not-masked"](tmp_path, EFFECTS["the opposite holds"])
    assert Masking()(tmp_path).value == pytest.approx(-5)  # the other network has a margin of fifteen points
    table = pd.read_csv(tmp_path / "laptop" / "masking.csv")
    write(tmp_path / "laptop" / "masking.csv", table[table.source == "itself"].query("attack == 'pgd'"))
    with pytest.raises(NotThereError, match=r"no PGD by own gradients, or nothing beside it"):
        Masking()(tmp_path)


def test_methods_are_compared_after_the_same_steps(tmp_path):
    PLANTS["momentum"](tmp_path, EFFECTS["holds"])
    path = tmp_path / "recovery" / "snr-40.csv"
    table = pd.read_csv(path)
    found = claims["momentum"].evidence(tmp_path)
    assert (found.value, found.low, found.high) == pytest.approx((-5, -7, -3))  # from end to end of both intervals
    write(path, table[(table.method == "ISTA") | (table.level != 16)])
    with pytest.raises(ValueError, match="after the same steps, got 15 and 16"):
        claims["momentum"].evidence(tmp_path)
    write(path, table[table.method == "FISTA"])
    with pytest.raises(NotThereError, match="no method 'ISTA'"):
        claims["momentum"].evidence(tmp_path)


def test_one_network_carries_no_verdict_on_steps(tmp_path):
    steps(tmp_path, EFFECTS["holds"])
    path = tmp_path / "laptop" / "solvers.csv"
    table = pd.read_csv(path)
    write(path, table[table.seed == 0])
    found = claims["more-steps"].evidence(tmp_path)
    assert (found.value, found.n, claims["more-steps"].judge(found)) == (5, 1, Finding.UNDECIDED)
    write(path, table[table.solver != "10 plain steps"])
    with pytest.raises(NotThereError, match=r"no '10 plain steps' of 'vars-d' under 'gaussian noise'"):
        claims["more-steps"].evidence(tmp_path)


# Who stands in for whom in a run of two networks: it is the way from a run to an estimate that is tested.
STAND_INS = {
    "softmax": ("softmax", "evolving, residual logits alone"),
    "vars-d": ("vars-d", "vars-d, published", "evolving", "evolving, without relative positions", "peripheral"),
}
SERIES_STAND_INS = {
    "transformer": ("transformer", "dilated convolution", "residual logits"),
    "transformer, evolving": ("transformer, evolving", "EA-DC"),
}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Return results of networks that were trained here and now, for seconds."""
    folder, data, size = tmp_path_factory.mktemp("results"), load("digits"), Size(dim=8, depth=2, heads=2)
    conditions = ("gaussian noise", "token occlusion", "fgsm", "shift")
    entries = tuple(map(Entry, STAND_INS))
    table = run_study(Settings(entries, "digits", (0,), SHORT, size, conditions=conditions)).table
    for name in ("vars", "evolving", "positions"):
        write(folder / name / "table.csv", stood_in(table, "attention", STAND_INS))
    looked = periphery(build(Entry("peripheral"), data, size), data.test, images=4).assign(seed=0)
    write(folder / "positions" / "periphery.csv", looked)
    settings = SeriesSettings(tuple(SERIES_STAND_INS), ("CardanoSentiment",), (0,), SeriesRecipe(epochs=1))
    outcome = run_series_study(settings, folder / "store")
    write(folder / "timeseries" / "table.csv", stood_in(outcome.table, "model", SERIES_STAND_INS))
    write(folder / "timeseries" / "maps.csv", stood_in(outcome.maps, "model", SERIES_STAND_INS))
    return folder


def stood_in(table, column, stand_ins):
    """Return the table with the rows of each who ran, once under each name that it stands in for."""
    parts = [table[table[column] == who].assign(**{column: name}) for who, names in stand_ins.items() for name in names]
    return pd.concat(parts)


@pytest.mark.parametrize(
    "name", [name for name in PLANTS if name not in NO_SEEDS and "laptop" not in claims[name].command]
)
def test_the_same_evidence_from_a_small_run(name, small):
    claim = claims[name]
    found = claim.evidence(small)
    assert pd.notna([found.value, found.low, found.high]).all()
    assert (found.n, claim.judge(found)) == (1, Finding.UNDECIDED)


def test_by_seed_says_what_it_lacks():
    table = pd.DataFrame(
        {"attention": ["a"], "seed": [0], "measure": ["m"], "condition": ["c"], "level": [1], "value": [2]}
    )
    assert by_seed(table, "a", "m", "c", 1).to_dict() == {0: 2}
    with pytest.raises(NotThereError, match="the table has no m of 'b'"):
        by_seed(table, "b", "m")
    assert Estimate(1, 0, 2, "points", 5).of == "seeds"
