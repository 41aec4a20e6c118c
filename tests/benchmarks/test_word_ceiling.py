"""Experiment 43: lines are read without a fault, scores of readings are learnt, halves of people judge one another."""

from typing import Any

import numpy as np
import pytest

from benchmarks.accuracy.word_ceiling import ASKED
from benchmarks.accuracy.word_readings import PATTERNS, learnt, read, signed
from benchmarks.accuracy.word_searches import Searches, described, fitted
from tgfr_search.evaluation.intervals import subject_weights


def says(*lines: str) -> set[str]:
    row = read(lines, {})
    return {name for name, value in zip(PATTERNS, row[:-1], strict=True) if value}


def test_a_line_says_what_is_in_it_and_nothing_else() -> None:
    line = "She has slightly open mouth, and wavy hair. She is wearing hat."
    assert says(line) == {"a woman", "mouth_slightly_open", "wavy_hair", "wearing_hat"}
    assert says("This man has no beard.") == {"a man", "no_beard"}
    assert says("He has a beard.", "The person is chubby.") == {"a man", "a beard", "chubby"}
    assert says("What is on the chart?") == set(), "parts of words say nothing"
    assert says() == set()
    known: dict[str, Any] = {}
    assert read(["a", "b"], known)[-1] == pytest.approx(np.log(3))
    assert set(known) == {"a", "b"}


def test_a_score_of_readings_finds_what_goes_together() -> None:
    rng = np.random.default_rng(0)
    subjects = np.repeat(np.arange(200), 3)
    traits = np.repeat(signed(rng.integers(0, 2, (200, 6))), 3, axis=0)
    told = traits[:, ::-1].copy()
    told[:, 0] = signed(rng.integers(0, 2, len(told)))
    by, loss = learnt(subjects, lambda at, own: told[at], lambda at, own: traits[at], seed=0)
    assert loss < np.log(20) - 1.0, "twenty people of train are held out"
    scores = by(told[::3], traits[::3])
    same = traits[::3][:, :5] == traits[::3][:, None, :5]
    alike = same.all(axis=2)
    assert scores[alike].min() > scores[~alike].max(), "the five traits that are told decide, the sixth does not"


def test_weights_of_two_scores_are_those_that_explain_the_mates() -> None:
    rng = np.random.default_rng(1)
    terms = rng.normal(size=(3, 400, 30))
    logits = 1.5 * terms[0] + 0.7 * terms[1]
    mates = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    assert fitted(terms, mates) == pytest.approx([1.5, 0.7, 0.0], abs=0.15)
    assert fitted(np.stack([terms[0], -terms[1]]), mates)[1] == 0, "no weight is below zero"


def searches(people: int, half: Any) -> Searches:
    mates = np.repeat(np.arange(people), 2)
    return Searches(mates, mates, np.asarray(half), subject_weights(people, 0))


def test_the_weight_of_words_comes_from_the_other_half_of_the_people() -> None:
    rng = np.random.default_rng(2)
    half = np.arange(40) % 2 == 0
    own = searches(40, half)
    mate = np.eye(40)[own.mates]
    picture = mate + rng.normal(size=mate.shape)
    telling = np.where(half[own.mates][:, None], mate + 0.1 * rng.normal(size=mate.shape), rng.normal(size=mate.shape))
    both = own.beside(picture, telling, telling)
    judged = half[own.mates]
    moved = [np.corrcoef(both[rows].ravel(), telling[rows].ravel())[0, 1] for rows in (judged, ~judged)]
    assert moved[1] > 0.9, "those of whom words tell nothing have the weights of those whom words tell apart"
    assert moved[0] < 0.6
    assert own.rate(own.beside(picture, telling, np.zeros_like(telling))).value == own.rate(picture).value


def test_words_of_somebody_else_are_of_another_person() -> None:
    class Roles:
        searches = np.array([1, 2, 4])
        probe_subjects = np.array([0, 0, 1, 1, 2])

    class Data:
        roles = Roles()

    data: Any = Data()
    others = np.array([-1, 0, 3, -1, -1])
    assert described("own3", others, data).tolist() == [1, 2, 4]
    assert described("cross", others, data).tolist() == [0, 3, -1]
    wrong = described("wrong", others, data)
    assert (Roles.probe_subjects[wrong] != Roles.probe_subjects[Roles.searches]).all()


def test_the_goals_are_those_of_the_table() -> None:
    from benchmarks.readme_words import ceiling
    from benchmarks.results import read_result

    tree = read_result("word_ceiling")
    assert tree is not None
    assert tree["asked"] == ASKED
    assert "--" not in tree["command"]
    assert "/work" not in tree["command"]
    page, _ = ceiling()
    at = tree["picture_and_words"]["lines"]["own"]["attributes"]["very_bad"]
    assert f"{100 * at[0]:+.1f}" in page
