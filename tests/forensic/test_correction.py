"""Typicality as a correction of the score: what strangers reach easily counts less, and what is fitted is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.forensic.scores import gaussian_pairs
from tgfr_search.errors import InputError
from tgfr_search.forensic.ablation import Searched, typicality_record
from tgfr_search.forensic.calibration import Binding, Calibration, Origin, read_calibration
from tgfr_search.forensic.correction import Correction, Standing, as_product, fit_correction
from tgfr_search.forensic.modes import fit_mode, strangers_of
from tgfr_search.forensic.pairs import Pairs
from tgfr_search.forensic.statement import Population


def crowded_pairs() -> Pairs:
    """Scores of a known likelihood ratio, raised by how crowded the record and the probe are; both are told."""
    pairs = gaussian_pairs(people=120, images=4, quality=(0.2, 0.2))
    rng = np.random.default_rng(3)
    terms = np.column_stack([rng.normal(size=(len(pairs), 4))])
    raised = pairs.score + 2.0 * terms[:, 2] + 1.0 * terms[:, 0]
    return Pairs(raised, pairs.quality, pairs.probe, pairs.record, terms)


def test_what_crowds_a_record_is_taken_back() -> None:
    found = fit_correction(crowded_pairs(), prior=0.5)
    assert found.low == pytest.approx((-1.0, 0.0, -2.0, 0.0), abs=0.15)
    assert fit_correction(crowded_pairs(), prior=0.5) == found


def test_a_correction_needs_people() -> None:
    pairs = crowded_pairs()
    few = pairs.take((pairs.probe < 20) & (pairs.record < 20))
    with pytest.raises(InputError, match="20 people"):
        fit_correction(few)


def test_what_is_added_is_worked_out_by_hand() -> None:
    correction = Correction((1.0, 0.0, -1.0, 0.0), (0.0, 2.0, -3.0, 0.5))
    probes = np.array([[5.0, 1.0], [5.0, 1.0], [5.0, 1.0]])
    records = np.array([[[1.0, 2.0], [4.0, 0.0]], [[3.0, 2.0], [4.0, 0.0]]])  # good, poor
    own = Standing(probes, records, np.array([1.0, 0.2]))
    added = own.added(correction, np.array([0.2, 1.0, 0.6]))
    assert added[0] == pytest.approx([5.0 - 3.0, 5.0 - 4.0])
    assert added[1] == pytest.approx([2.0 - 3.0 + 1.0, 2.0 - 12.0])
    assert added[2] == pytest.approx([2.5 + 1.0 - 2.0 * 2.0 + 0.25 * 2.0, 2.5 + 1.0 - 2.0 * 4.0])
    assert own.added(correction, np.array([1.0]), slice(1, 2)) == pytest.approx(added[1:2])
    share, columns = as_product(correction, probes, own.levels, np.array([0.2, 1.0, 0.6]))
    assert share[:, None] + columns @ records.transpose(1, 0, 2).reshape(2, -1).T == pytest.approx(added)


def test_a_calibration_keeps_its_correction(tmp_path: Path) -> None:
    pairs = crowded_pairs()
    correction = fit_correction(pairs)
    other = pairs.take(~pairs.genuine)
    strangers = strangers_of(other.score[:2000], other.quality[:2000], 109)
    plain = replace(pairs, typicality=np.empty((0, 0)))
    own = fit_mode(plain, (other.score, other.quality), strangers, refits=0, seed=0, correction=correction)
    made = Calibration(
        Binding("c" * 64, "m", "d" * 64),
        Origin("d" * 64, "valid", "0.1.0", 0, ("normal",)),
        Population("people", 120, "all of them"),
        {"image": own, "fused-1": replace(own, correction=None)},
    )
    path = tmp_path / "calibration.json"
    made.write(path)
    read = read_calibration(path)
    assert read == made
    assert read.text() == made.text()
    path.write_text(made.text().replace('"high":[', '"high":[1.0,', 1))
    with pytest.raises(InputError, match="correction, expected low and high of t_mean"):
        read_calibration(path)


def test_what_a_correction_saves_is_counted_by_hand() -> None:
    tops, people = np.array([9.0, 5.0, 4.0, 3.0]), np.array([0, 1, 2, 3])
    mates = np.array([6.0, 4.5, 8.0, 1.0])
    off = Searched(tops, people, mates, people)
    weights = np.ones((1, 4))
    assert off.missed(0.0, weights) == pytest.approx([1.0])  # nothing lies above the highest stranger
    assert off.missed(0.25, weights) == pytest.approx([0.5])  # one alarm allowed: the limit is 5
    on = Searched(np.array([5.5, 5.0, 4.0, 3.0]), people, mates, people)
    told = typicality_record("bad", "image", off, on, np.ones((3, 4)), 0.01)
    assert (told["fnir_off"], told["fnir_on"], told["saved"], told["saved_low"]) == (1.0, 0.5, 0.5, 0.5)
