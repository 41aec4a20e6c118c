"""Notes of answers: each that is made is found again in the catalogue and said in German; every code has German."""

from __future__ import annotations

from collections.abc import Iterable
from string import Formatter

import numpy as np
import pytest

from pipelines.casework.case.case import ORIGINS
from pipelines.casework.case.evidence import KINDS, OPERATIONS
from pipelines.casework.review.marks import Feature, Found
from pipelines.casework.review.terms import ACTS, Conclusion, Decision, Step
from pipelines.search.answers.notes import query_notes
from tgfr_search.app.service.roles import Role
from tgfr_search.errors import Reason
from tgfr_search.forensic.refusals import Refusal
from tgfr_search.forensic.thresholds import threshold_for
from tgfr_search.pages.catalogue import Words, texts
from tgfr_search.pages.sentences import known, note, said

DE = Words("de")
REGISTRIES: dict[str, Iterable[str]] = {
    "operation": OPERATIONS,
    "kind": KINDS,
    "origin": ORIGINS,
    "decision": Decision,
    "conclusion": Conclusion,
    "step": Step,
    "act": ACTS,
    "feature": Feature,
    "found": Found,
    "refusal": Refusal,
    "reason": Reason,
    "role": Role,
}
NOTES = sorted(name for name in texts() if name.startswith("note."))
SAMPLES = {
    "first": '"bald" (bald)',
    "second": '"with long hair" (not long hair)',
    "picture": "picture 2",
    "reason": "no face",
    "score": "-1.250",
    "count": "10,000",
    "least": "0.41",
}


@pytest.mark.parametrize("group", REGISTRIES)
def test_every_code_of_a_report_has_both_languages(group: str) -> None:
    codes = [str(each) for each in REGISTRIES[group]]
    english, german = ([Words(language).of(group, code) for code in codes] for language in ("en", "de"))
    assert len({*german}) == len(codes)
    assert [en for en, de in zip(english, german, strict=True) if en == de or not de] == []
    held = {name for name in texts() if name.startswith(f"{group}.")}
    assert held - {"role.label"} == {
        f"{group}.{code.replace(' ', '_').replace('-', '_').replace(',', '')}" for code in codes
    }


def values_of(name: str) -> dict[str, str]:
    fields = [key for _, key, *_ in Formatter().parse(texts()[name][0]) if key]
    return {key: SAMPLES.get(key, f"7{at}") for at, key in enumerate(fields)}


@pytest.mark.parametrize("name", NOTES)
def test_every_note_is_found_again_and_said_in_german(name: str) -> None:
    values = values_of(name)
    sentence = note(name.removeprefix("note."), **values)
    own = {"first": "„bald“ (Glatze)", "second": "„with long hair“ (nicht: langes Haar)", "picture": "Bild 2"}
    own |= {"reason": "kein Gesicht gefunden", "count": "10.000", "least": "0,41"}
    expected = texts()[name][1].format(**{**values, **{key: own[key] for key in values if key in own}})
    assert said(sentence, DE) == expected
    assert said(sentence, Words("en")) == sentence.partition("; --")[0]
    assert "--" not in said(sentence, DE)


def test_what_no_entry_made_is_told_to_be_the_programs_words() -> None:
    assert said("something of an earlier version: {x}", DE) == (
        "im Wortlaut des Programms: „something of an earlier version: {x}“"
    )
    with pytest.raises(KeyError):
        known("something of an earlier version")


def test_sentences_that_are_made_elsewhere_are_in_the_catalogue() -> None:
    lines = ["a bald man with long hair", "Peter Smith", " \u200b ", "no beard"]
    notes = query_notes("fused", "caption", lines, lines[:2], 2, None)
    assert len(notes) == 5
    told = [said(each, DE) for each in notes]
    assert not any("im Wortlaut des Programms" in each for each in told)
    assert any("„bald“ (Glatze)" in each for each in told)
    made = threshold_for(np.arange(20000.0), 0.01, 100, at_people=200)
    assert said(known(made.warning), DE).startswith("die Schwelle wurde an Galerien von 100 Personen gesetzt")
