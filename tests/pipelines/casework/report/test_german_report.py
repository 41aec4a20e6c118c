"""A report in German: what our software wrote is German, what somebody typed stays as it was typed."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from pipelines.casework.case.case import Case
from pipelines.casework.case.evidence import KINDS, OPERATIONS, derive
from pipelines.casework.report.report import report_page, report_paper
from pipelines.casework.searches.pictures import Picture
from pipelines.casework.searches.search import search
from pipelines.search.gallery import Gallery
from tgfr_search.faces.choice import FaceChoice
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.witnesses import Witness
from tgfr_search.pages.catalogue import Words

ACTOR = "examiner-1"
NOBODY = "subject_id = 'nobody'"
LINES = ("a bald man with long hair", "called Peter Smith")


@pytest.fixture(scope="module")
def case(demo: Path, held: Path, model: FaceTextModel, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """One file of evidence of each kind, a derivative by each operation, searches that find nobody."""
    folder = tmp_path_factory.mktemp("german")
    made = Case.new(folder / "case", purpose="fraud", basis="§ 98c StPO", actor=ACTOR)
    photo = next(iter(sorted((demo / "probes").iterdir())))
    for at, kind in enumerate(KINDS):
        (file := folder / f"{kind}.jpg").write_bytes(photo.read_bytes() + bytes(at))
        made.add(file, actor=ACTOR, kind=kind)
    name = "E0001.jpg"
    for operation in OPERATIONS:
        name = derive(
            made,
            name,
            photo,
            actor=ACTOR,
            operation=operation,
            parameters={"amount": 1234.5} if operation == "resize" else {},
        )
    gallery = Gallery.open(held, model=model)
    search(
        made,
        gallery,
        actor=ACTOR,
        evidence=name,
        lines=LINES,
        origin="witness",
        where=NOBODY,
        face=FaceChoice(number=1),
    )
    (blank := folder / "blank.png").write_bytes(b"no picture")
    more = [Picture("E0002.jpg"), Picture(made.add(blank, actor=ACTOR))]
    heard = [Witness(LINES[:1], 0.5)]
    search(made, gallery, actor=ACTOR, evidence="E0001.jpg", more=more, witnesses=heard, origin="unknown", where=NOBODY)
    made.note("A note as somebody typed it.", actor=ACTOR)
    return made


def text_of(page: str) -> str:
    return unescape(re.sub(r"<[^>]+>", "\n", re.sub(r"(?s)<style>.*?</style>", "", page)))


def test_every_operation_kind_and_note_is_german(case: Case) -> None:
    german, english = (text_of(report_page(case, language)) for language in ("de", "en"))
    words = Words("de")
    for group, codes in (("operation", OPERATIONS), ("kind", KINDS)):
        assert [code for code in codes if words.of(group, code) not in german] == []
    assert "bearbeitet: Einzelbild eines Videos, Ausschnitt, Drehung, Größenänderung, Helligkeit" in german
    assert "Größenänderung (amount = 1.234,5)" in german
    assert "resizing (amount = 1,234.5)" in english
    assert "gewählt: Gesicht 1, vom größten an" in german
    assert "„a bald man with long hair“ „called Peter Smith“" in german
    assert "Zeugnis 1 (verlässlich zu 0,5): „a bald man with long hair“" in german
    for told in (
        "die Beschreibung widerspricht sich: „bald“ (Glatze) und „long hair“ (langes Haar)",
        "Namen werden nicht gelesen, niemand wird über einen gefunden: Peter Smith",
        "Bild 3 wurde weggelassen: ein Format, das nicht gelesen wird",
        "A note as somebody typed it.",
        NOBODY,
    ):
        assert told in german
    assert "im Wortlaut des Programms" not in german
    assert "--" not in german


def test_no_sentence_of_the_english_report_is_in_the_german_one(case: Case) -> None:
    german, english = (text_of(report_page(case, language)) for language in ("de", "en"))
    typed = {*LINES, "A note as somebody typed it.", NOBODY}
    same = {line.strip() for line in english.splitlines()} & {line.strip() for line in german.splitlines()}
    assert "fraud" in same
    sentences = [line for line in same if re.search(r"[a-z]{3,} [a-z]{3,}", line)]
    assert [line for line in sentences if not any(each in line for each in typed)] == []


def test_paper_is_made_of_the_same_text(case: Case) -> None:
    assert report_paper(case, "de")[:5] == b"%PDF-"
