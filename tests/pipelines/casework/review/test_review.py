"""The blind review: what must never happen, tried with random acts of four people."""

from __future__ import annotations

import random
from typing import Any

import pytest

from pipelines.casework.review.review import ACTS, Conclusion, Decision, Review, ReviewError, Step

PEOPLE = ("examiner-1", "examiner-2", "examiner-3", "examiner-4")


def person(review: Review, actor: str, decisions: dict[int, str], conclusion: str) -> None:
    """A person's whole work; `decisions` by row, the others are excluded."""
    review.begin(actor)
    review.analyse(actor, "a face, sharp")
    for at in range(len(review.compared)):
        label = f"C{at + 1:02d}"
        review.decide(actor, label, decisions.get(review.row_to_show(actor, label), "excluded"))
    review.unmask(actor)
    review.conclude(actor, conclusion)


def test_two_people_who_agree() -> None:
    review = Review([10, 11, 12], seed=4)
    person(review, "examiner-1", {11: "support for same"}, "potential candidates")
    assert review.step is Step.NEXT_PERSON
    with pytest.raises(ReviewError, match="another person than before"):
        review.begin("examiner-1")
    with pytest.raises(ReviewError, match="two people who agree"):
        review.release("examiner-1")
    person(review, "examiner-2", {11: "support for same"}, "potential candidates")
    assert (review.step, review.conclusion) == (Step.AGREED, None)
    review.release("examiner-2")
    assert (review.step, review.conclusion) == (Step.RELEASED, Conclusion.CANDIDATES)
    with pytest.raises(ReviewError):
        review.begin("examiner-3")


@pytest.mark.parametrize("second", [({10: "support for same"}, "potential candidates"), ({}, "no candidate")])
def test_two_who_do_not_agree_need_a_third(second: tuple[dict[int, str], str]) -> None:
    review = Review([10, 11, 12], seed=4)
    person(review, "examiner-1", {11: "support for same"}, "potential candidates")
    person(review, "examiner-2", *second)
    assert review.step is Step.NEXT_PERSON
    assert "persons" not in review.view("examiner-1")
    person(review, "examiner-3", {}, "no candidate")
    review.release("examiner-3")
    assert review.conclusion is Conclusion.NONE
    assert [each["actor"] for each in review.view("examiner-1")["persons"]] == list(PEOPLE[:3])


def test_the_order_tells_nothing_of_the_rank() -> None:
    """Of 40 lists of 20 each candidate stands anywhere; the two people see another order."""
    firsts, same = [], 0
    for seed in range(40):
        review = Review(range(20), seed)
        orders = []
        for actor in PEOPLE[:2]:
            person(review, actor, {}, "no candidate")
            orders.append(review._passes[-1].order)
        firsts.append(orders[0].index(0))
        same += orders[0] == orders[1]
        assert Review.again(range(20), seed, review.events)._passes == review._passes
    assert same == 0
    assert len(set(firsts)) > 10


def test_a_decision_is_revised_with_a_reason_and_both_stay() -> None:
    review = Review([10, 11], seed=0)
    review.begin("examiner-1")
    review.analyse("examiner-1", "sharp")
    review.decide("examiner-1", "C01", "excluded")
    with pytest.raises(ReviewError, match="C02, which is next"):
        review.decide("examiner-1", "C01", "support for same")
    review.decide("examiner-1", "C02", "inconclusive")
    with pytest.raises(ReviewError, match="expected: unmasked, to be concluded"):
        review.revise("examiner-1", "C01", "support for same", "the ear")
    review.unmask("examiner-1")
    with pytest.raises(ReviewError, match="no reason"):
        review.revise("examiner-1", "C01", "support for same", " ")
    review.revise("examiner-1", "C01", "support for same", "the ear")
    with pytest.raises(ReviewError, match="one that fits"):
        review.conclude("examiner-1", "no candidate")
    review.conclude("examiner-1", "potential candidates")
    made = [(event["label"], event["decision"]) for event in review.events if "decision" in event]
    assert made == [("C01", "excluded"), ("C02", "inconclusive"), ("C01", "support for same")]


def test_a_probe_that_is_not_suitable_is_compared_with_nobody() -> None:
    review = Review([10, 11], seed=0)
    for actor in PEOPLE[:2]:
        review.begin(actor)
        review.analyse(actor, "too dark", suitable=False)
        assert "candidates" not in review.view(actor)
    review.release("examiner-2")
    assert review.conclusion is Conclusion.INCONCLUSIVE


def random_act(chance: random.Random, review: Review) -> tuple[str, dict[str, Any]]:
    act = chance.choice(ACTS)
    told: dict[str, Any] = {"actor": chance.choice(PEOPLE)}
    if act == "analyse":
        told |= {"text": chance.choice(["seen", "seen", ""]), "suitable": chance.random() < 0.9}
    if act in ("decide", "revise"):
        told |= {"label": f"C{chance.randint(0, 4):02d}", "decision": chance.choice([*Decision, "match"])}
    if act == "revise":
        told["reason"] = chance.choice(["why", ""])
    if act == "conclude":
        told["conclusion"] = chance.choice([*Conclusion, "identified"])
    return act, told


def test_random_acts_never_break_the_rules() -> None:
    chance, reached, refused = random.Random(0), set[Step](), 0
    for seed in range(30):
        review = Review([40, 41, 42], seed)
        for _ in range(1500):
            act, told = random_act(chance, review)
            before = len(review.events), repr(review._passes), review.step
            try:
                getattr(review, act)(**told)
            except ReviewError:
                refused += 1
                assert (len(review.events), repr(review._passes), review.step) == before
            if len(review.events) > before[0]:
                look(review)
            reached.add(review.step)
            if review.step is Step.RELEASED:
                break
        rules(review)
    assert reached == set(Step)
    assert refused > 1000


def look(review: Review) -> None:
    """What each person may see at this moment."""
    for actor in PEOPLE:
        seen, events = review.view(actor), [event for event in review.events if event["actor"] == actor]
        acts = [event["act"] for event in events]
        shown = seen.get("candidates", [])
        assert not shown or "analyse" in acts
        assert len(shown) <= acts.count("decide") + 1
        if "unmask" not in acts:
            assert all(each.keys() <= {"label", "decision"} for each in shown)
        if review.step not in (Step.AGREED, Step.RELEASED):
            assert "persons" not in seen
        others = {each for each in PEOPLE if each != actor}
        assert "persons" in seen or not any(other in repr(seen) for other in others)


def rules(review: Review) -> None:
    """Read from the events alone."""
    events = review.events
    begun = [event["actor"] for event in events if event["act"] == "begin"]
    assert len(begun) == len(set(begun)) <= 3
    at_work = ""
    for number, event in enumerate(events):
        earlier = [each["act"] for each in events[:number] if each["actor"] == event["actor"]]
        if event["act"] == "begin":
            at_work = event["actor"]
        elif event["act"] != "release":
            assert event["actor"] == at_work
        if event["act"] == "decide":
            assert "analyse" in earlier
            assert "unmask" not in earlier
        if event["act"] == "unmask":
            assert earlier.count("decide") == len(review.rows)
        if event["act"] in ("revise", "conclude"):
            assert "unmask" in earlier
        if event["act"] == "release":
            assert len({each["actor"] for each in events[:number] if each["act"] == "begin"}) >= 2
            assert number == len(events) - 1
    assert Review.again(review.rows, review.seed, events).view("examiner-1") == review.view("examiner-1")


def test_bad_input() -> None:
    for rows in ([], [1, 1]):
        with pytest.raises(ReviewError, match="each once"):
            Review(rows, 0)
    review = Review([1], 0)
    with pytest.raises(ReviewError, match="an account"):
        review.begin(" ")
    with pytest.raises(ReviewError, match="none of this person's candidates"):
        review.row_to_show("examiner-1", "C01")
    for event in ({"act": "unmask", "actor": "examiner-1"}, {"act": "_tell", "actor": "x"}, {"act": "begin"}, {}):
        with pytest.raises(ReviewError):
            Review.again([1], 0, [event])
