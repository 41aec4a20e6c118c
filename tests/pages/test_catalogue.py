"""What reports say of likelihood ratios, in each language, from the catalogue."""

from __future__ import annotations

import pytest

from tgfr_search.forensic.refusals import Refusal
from tgfr_search.forensic.statement import Population, propositions
from tgfr_search.pages.catalogue import LANGUAGES, Words

EVERYBODY = "everybody in it with a face that was found"


def told(name: str, sampling: str) -> dict[str, object]:
    who = Population(name, 1498, sampling)
    return {"population": name, "people": 1498, "sampling": sampling, "propositions": list(propositions(who))}


@pytest.mark.parametrize(("name", "sampling"), [("people of MM-CelebA-HQ", EVERYBODY), ("adults of Graz", "all")])
def test_english_propositions_are_those_of_the_answer(name: str, sampling: str) -> None:
    assert Words("en").propositions(told(name, sampling)) == told(name, sampling)["propositions"]


def test_german_propositions_are_german() -> None:
    assert Words("de").propositions(told("people of MM-CelebA-HQ", EVERYBODY)) == [
        "H1: Die Probe zeigt die Person dieses Eintrags.",
        "H2: Die Probe zeigt eine andere Person aus: Personen aus MM-CelebA-HQ (kalibriert an 1.498 Personen; alle "
        "darin, deren Gesicht gefunden wurde).",
    ]
    own = Words("de").propositions(told("Erwachsene in Graz", "jede zehnte"))[1]
    assert (
        own
        == "H2: Die Probe zeigt eine andere Person aus: Erwachsene in Graz (kalibriert an 1.498 Personen; jede zehnte)."
    )


def test_an_earlier_answer_keeps_its_words() -> None:
    assert Words("de").propositions({"population": "x", "propositions": ["H1: a", "H2: b"]}) == ["H1: a", "H2: b"]
    assert Words("de").propositions(None) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_why_there_is_no_ratio_has_words(language: str) -> None:
    for reason in Refusal:
        assert Words(language).ratio({"ratio": "x", "lr": {"refused": str(reason)}}) not in ("", "x", str(reason))
    told = {"en": "2.3 (1.8–2.7) *", "de": "2,3 (1,8–2,7) *"}[language]
    assert Words(language).ratio({"ratio": "2.3 (1.8–2.7) *", "lr": {"refused": None}}) == told
    assert Words(language).ratio({"ratio": "–", "lr": None}) == "–"


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", ["1,234,567", "1,234.50", "−0.3", "< 0.001", "2026-11-26T05:53:41.123Z", "2026-11-26T05:53:41Z"]),
        ("de", ["1.234.567", "1.234,50", "−0,3", "< 0,001", "26.11.2026 05:53:41,123", "26.11.2026 05:53:41"]),
    ],
)
def test_numbers_and_dates_as_each_language_writes_them(language: str, expected: list[str]) -> None:
    words = Words(language)
    numbers = [words.count(1234567), words.decimal(1234.5, 2), words.decimal(-0.32, 1), words.figures("< 0.001")]
    assert [*numbers, words.when("2026-11-26T05:53:41.123Z"), words.when("2026-11-26T05:53:41Z")] == expected
    assert words.when("") == ""
