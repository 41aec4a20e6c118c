"""What is printed of a candidate: a number that the calibration carries, or a reason code and no number at all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.forensic.scores import gaussian_pairs
from tgfr_search.errors import InputError
from tgfr_search.forensic.calibration import Binding, Calibration, Origin, read_calibration
from tgfr_search.forensic.evidence import Declared, Evidence, evidence
from tgfr_search.forensic.modes import ModeCalibration, fit_mode, strangers_of
from tgfr_search.forensic.pairs import Pairs, thinned
from tgfr_search.forensic.refusals import Facts, ProbeKind, Refusal, refusal
from tgfr_search.forensic.statement import Population, log10_text, propositions, ratio_text, strangers_text
from tgfr_search.forensic.tail import Expected
from tgfr_search.forensic.words import Origin as WordsOrigin

BINDING = Binding("a" * 64, "model@1")
POPULATION = Population("adults photographed for the press", 200, "all of them")


def mode_of(every: Pairs) -> ModeCalibration:
    other = every.take(~every.genuine)
    tops = other.score[: len(other) // 500 * 500].reshape(-1, 500).max(axis=1)
    strangers = strangers_of(tops, other.quality[: len(tops)], 500)
    return fit_mode(thinned(every, 10_000, 0), (other.score, other.quality), strangers, refits=3, seed=0)


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    every = gaussian_pairs(images=6)
    image, fused = (mode_of(pairs) for pairs in (every, replace(every, score=every.score * 1.1)))
    origin = Origin("d" * 64, "valid", "0.1.0", 0, ("normal", "bad"))
    return Calibration(BINDING, origin, POPULATION, {"image": image, "fused-1": fused})


def told(
    calibration: Calibration | None, *, mode: str = "image", lines: int = 0, quality: float | None = 0.6,
    declared: Declared | None = None, binding: Binding = BINDING, score: float = 2.0,
) -> Evidence:  # fmt: skip
    scores = np.array([score])
    return evidence(
        calibration, binding, mode=mode, lines=lines, scores=scores, image_scores=scores, quality=quality,
        searched=1000, declared=declared,
    )[0]  # fmt: skip


def test_a_file_gives_the_calibration_back_in_the_same_bytes(calibration: Calibration, tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    calibration.write(path)
    again = read_calibration(path)
    assert again == calibration
    assert again.text() == path.read_text()
    assert again.sha256 == calibration.sha256
    assert told(again) == told(calibration)


def test_a_score_has_its_true_ratio(calibration: Calibration) -> None:
    found = told(calibration)
    assert found.log10 == pytest.approx(2.0 / np.log(10), abs=0.15)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.log10 <= found.high
    assert (found.bounded, found.refused) == (False, None)
    assert found.expected_strangers is not None
    assert 10 < found.expected_strangers < 100  # P(N(−4, √8) ≥ 2) = .017


def test_words_of_a_doubtful_witness_lie_between(calibration: Calibration) -> None:
    image = told(calibration).log10
    sure = told(calibration, mode="fused", lines=1, declared=Declared(reliability=1.0)).log10
    usual = told(calibration, mode="fused", lines=1)
    assert image is not None
    assert sure is not None
    assert usual.log10 is not None
    assert min(image, sure) <= usual.log10 <= max(image, sure)
    assert usual.image_log10 == image
    assert told(calibration, mode="fused", lines=1, declared=Declared(reliability=0.0)).log10 == image


def test_a_threshold_comes_with_the_calibration(calibration: Calibration) -> None:
    strangers = calibration.modes["image"].strangers
    assert strangers.searches == 1432
    told = strangers.threshold(0.05)
    assert np.mean(np.array(strangers.tops) >= told.score) * len(strangers.tops) <= 0.05 * 1432
    assert (told.people, told.tested_people, told.searches) == (500, 500, 1432)
    assert told.quality == (pytest.approx(0.6, abs=0.02), pytest.approx(0.23, abs=0.02))
    with pytest.raises(InputError, match="10,000"):
        strangers.threshold(0.001)
    with pytest.raises(InputError, match="a lower rate"):
        strangers.threshold(0.8)


CASES: list[tuple[dict[str, object], Refusal]] = [
    ({"binding": Binding("b" * 64, "model@2")}, Refusal.CONTRACT_MISMATCH),
    ({"binding": Binding("a" * 64, "model@1", "c" * 64)}, Refusal.COHORT_MISMATCH),
    ({"mode": "caption", "lines": 1, "quality": None}, Refusal.MODE_NOT_CALIBRATED),
    ({"mode": "fused", "lines": 2}, Refusal.MODE_NOT_CALIBRATED),
    ({"mode": "fused", "lines": 7}, Refusal.MODE_NOT_CALIBRATED),
    ({"quality": None}, Refusal.QUALITY_UNKNOWN),
    ({"quality": float("nan")}, Refusal.QUALITY_UNKNOWN),
    ({"quality": 0.1}, Refusal.QUALITY_OUT_OF_RANGE),
    ({"quality": 1.01}, Refusal.QUALITY_OUT_OF_RANGE),
    ({"declared": Declared(kind=ProbeKind.SKETCH)}, Refusal.NOT_A_PHOTOGRAPH_OF_THE_PERSON),
    ({"declared": Declared(kind=ProbeKind.COMPOSITE)}, Refusal.NOT_A_PHOTOGRAPH_OF_THE_PERSON),
    ({"declared": Declared(kind=ProbeKind.LOOK_ALIKE)}, Refusal.NOT_A_PHOTOGRAPH_OF_THE_PERSON),
    ({"declared": Declared(generated=True)}, Refusal.GENERATED_DETAIL),
    ({"declared": Declared(processing=("crop", "sharpen"))}, Refusal.ENHANCED),
    ({"declared": Declared(processing=("super-resolution",))}, Refusal.ENHANCED),
    ({"declared": Declared(processing=("contrast",))}, Refusal.ENHANCED),
    (
        {"mode": "fused", "lines": 1, "declared": Declared(origin=WordsOrigin.PROBE_PICTURE)},
        Refusal.DESCRIPTION_OF_THE_PROBE_PICTURE,
    ),
    ({"declared": Declared(population="children")}, Refusal.POPULATION_MISMATCH),
]


@pytest.mark.parametrize(("case", "reason"), CASES)
def test_fabricated_cases_get_their_code_and_no_number(
    calibration: Calibration, case: dict[str, object], reason: Refusal
) -> None:
    found = told(calibration, **case)  # type: ignore[arg-type]
    assert found.refused == reason
    tree = found.lr() | {"expected_strangers": found.expected_strangers}
    assert not any(isinstance(value, float | int) and not isinstance(value, bool) for value in tree.values())
    assert found.bounded is False


def test_no_calibration_and_a_thin_band_are_refused(calibration: Calibration) -> None:
    assert told(None).refused == Refusal.NO_CALIBRATION
    assert refusal(Facts(people=99)) == Refusal.TOO_FEW_IN_BAND
    assert refusal(Facts(genuine=299)) == Refusal.TOO_FEW_IN_BAND
    assert refusal(Facts()) is None
    thin = replace(calibration.modes["image"].bands[2], genuine=200)
    mode = calibration.modes["image"]
    bands = (*mode.bands[:2], thin, *mode.bands[3:])
    changed = replace(calibration, modes={"image": replace(mode, bands=bands)})
    assert told(changed, quality=(thin.low + thin.high) / 2).refused == Refusal.TOO_FEW_IN_BAND


def test_what_is_allowed_is_not_refused(calibration: Calibration) -> None:
    fine = Declared(processing=("crop", "rotate", "resize", "brightness"), population=POPULATION.name)
    assert told(calibration, declared=fine).refused is None
    # words of the probe picture are not read by a search of the picture alone
    assert told(calibration, declared=Declared(origin=WordsOrigin.PROBE_PICTURE)).refused is None


def test_another_model_or_cohort_is_refused_by_name(calibration: Calibration) -> None:
    calibration.require(BINDING)
    with pytest.raises(InputError, match="contract_sha256"):
        calibration.require(Binding("b" * 64, "model@1"))
    with pytest.raises(InputError, match="cohort_sha256; found: none; expected: c"):
        calibration.require(Binding("a" * 64, "model@1", "c" * 64))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda tree: tree | {"schema": 2}, "schema 2"),
        (lambda tree: tree | {"more": 1}, "unknown key 'more'"),
        (lambda tree: tree | {"modes": {}}, "no mode"),
        (lambda tree: {k: v for k, v in tree.items() if k != "binding"}, "binding"),
        (lambda tree: [], "schema None"),
    ],
)
def test_a_file_that_is_no_calibration_is_refused(calibration: Calibration, tmp_path: Path, change, found: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(change(json.loads(calibration.text()))))
    with pytest.raises(InputError, match=found):
        read_calibration(path)


@pytest.mark.parametrize("name", ["knots", "coefficients", "prior", "bounds", "refits", "nan"])
def test_numbers_that_no_fit_gives_are_refused(calibration: Calibration, tmp_path: Path, name: str) -> None:
    tree = json.loads(calibration.text())
    own = tree["modes"]["image"]["calibrator"]
    bad = {"knots": own["knots"][::-1], "prior": 1.0, "bounds": {"low": 1.0, "high": 2.0}, "refits": [[1.0]]}
    if name == "nan":
        own["prior"] = float("nan")
    else:
        own[name] = [-1.0, *own["coefficients"][1:]] if name == "coefficients" else bad[name]
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(tree))
    with pytest.raises(InputError, match="calibration"):
        read_calibration(path)


def test_a_file_that_is_not_there_or_no_json_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_calibration(tmp_path / "none.json")
    (tmp_path / "text.json").write_text("{")
    with pytest.raises(InputError, match="no JSON"):
        read_calibration(tmp_path / "text.json")


def test_words_for_a_reader() -> None:
    first, second = propositions(POPULATION)
    assert "H1" in first
    assert "200 people" in second
    assert log10_text(2.34, -0.04, 2.71) == "2.3 (0.0–2.7)"
    assert ratio_text(np.log10(512.0), True) == "at least 510 times more probable if H1 is true than if H2 is"
    assert ratio_text(2.3, False) == "about 200 times more probable if H1 is true than if H2 is"
    assert ratio_text(-np.log10(40.0), True) == "at least 40 times more probable if H2 is true than if H1 is"
    assert ratio_text(0.0, False) == "about as probable under H1 as under H2"
    assert strangers_text(Expected(0.0002, True), 5000).endswith("searched: fewer than 0.01 (extrapolated)")
    with pytest.raises(InputError, match="population"):
        Population("", 5, "all")


@pytest.mark.parametrize("log10", np.linspace(-6, 6, 25))
@pytest.mark.parametrize("bounded", [True, False])
def test_no_percentage_and_no_verdict_is_ever_printed(log10: float, bounded: bool) -> None:
    text = " ".join((ratio_text(log10, bounded), log10_text(log10, log10, log10), *propositions(POPULATION))).lower()
    assert "%" not in text
    assert "match" not in text
    assert "identif" not in text
