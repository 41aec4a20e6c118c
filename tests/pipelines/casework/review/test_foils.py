"""Foils: compared like candidates and known by nobody who compares; no candidates in any answer; counted apart."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_review import person
from test_review_commands import decide
from typer.testing import CliRunner

from pipelines.casework.case.case import Case
from pipelines.casework.case.lab import Lab
from pipelines.casework.exchange.export import export
from pipelines.casework.exchange.imported import open_to_read
from pipelines.casework.exchange.receive import receive_export
from pipelines.casework.report.report import report_page, report_paper
from pipelines.casework.review.examiners import count_case, examiners
from pipelines.casework.review.review import Conclusion, Review, ReviewError, Step
from pipelines.casework.review.reviews import review_of
from pipelines.casework.searches import foils
from pipelines.casework.searches.replay import replay
from pipelines.casework.searches.search import search
from pipelines.search.gallery import Gallery
from tgfr_search.app.cli.main import app
from tgfr_search.errors import InputError
from tgfr_search.model.loaded import FaceTextModel

WORDS = "a man with a beard"
FIRST, SECOND = "examiner-1", "examiner-2"
RULES = Lab(foils=1.0, foil_where="role = 'staff'")


def label_of(review: Review, actor: str, row: int) -> str:
    (found,) = [f"C{at:02d}" for at in range(1, 5) if review.row_to_show(actor, f"C{at:02d}") == row]
    return found


def test_a_foil_is_told_apart_by_unmasking_alone() -> None:
    review = Review([10, 11], seed=4, foils=[3, 12])
    review.begin(FIRST)
    review.analyse(FIRST, "sharp")
    for at in range(1, 5):
        assert all(each.keys() <= {"label", "decision"} for each in review.view(FIRST)["candidates"])
        row = review.row_to_show(FIRST, f"C{at:02d}")
        review.decide(FIRST, f"C{at:02d}", "support for same" if row in (3, 11) else "excluded")
    assert review.step is Step.MASKED
    review.unmask(FIRST)
    told = {each["label"]: each for each in review.view(FIRST)["candidates"]}
    wrong, right = label_of(review, FIRST, 3), label_of(review, FIRST, 11)
    assert told[wrong] == {"label": wrong, "decision": "support for same", "foil": True}, "nobody is told who it is"
    assert told[right] == {"label": right, "decision": "support for same", "row": 11, "rank": 2}
    with pytest.raises(ReviewError, match="what was decided on a foil stays"):
        review.revise(FIRST, wrong, "excluded", "it was a foil")
    review.revise(FIRST, right, "inconclusive", "the ear")
    with pytest.raises(ReviewError, match="without a candidate of support for same"):
        review.conclude(FIRST, "potential candidates")  # a foil is none
    review.conclude(FIRST, "no candidate")
    person(review, SECOND, {}, "no candidate")
    assert review.step is Step.AGREED, "what two people have in common is the candidates"
    review.release("reviewer-1")
    assert review.conclusion is Conclusion.NONE
    one, two = review.view("")["persons"]
    assert (one["decisions"], one["foils"]) == (
        {10: "excluded", 11: "inconclusive"},
        {3: "support for same", 12: "excluded"},
    )
    assert two["foils"] == {3: "excluded", 12: "excluded"}
    assert Review.again([10, 11], 4, review.events, [3, 12]).view("") == review.view("")
    with pytest.raises(ReviewError, match="each once"):
        Review([10, 11], 0, [11])


def test_foils_stand_anywhere_and_a_review_without_them_is_that_of_before() -> None:
    places = set()
    for seed in range(40):
        review = Review(range(10), seed, [90])
        review.begin(FIRST)
        places.add(review._passes[0].order.index(~90))
    assert len(places) > 8
    old = Review(range(10), 7)
    old.begin(FIRST)
    assert old._passes[0].order == (5, 0, 1, 9, 7, 4, 3, 6, 2, 8), "as the log of an old case has it"


@pytest.fixture
def gallery(index: Path, model: FaceTextModel) -> Gallery:
    """Ranks 1, 3, 7, 11 and 12 of the search are the laboratory's staff."""
    found = Gallery.open(index, model=model)
    best = found.query(caption=WORDS, top_k=12).candidates
    with found.store.writer() as writer:  # type: ignore[union-attr]
        for row in (best[at - 1].row_id for at in (1, 3, 7, 11, 12)):
            writer.update(row, metadata={"role": "staff"})
        writer.commit()
    return Gallery.open(index, model=model)


def searched(folder: Path, gallery: Gallery, lab: Lab) -> tuple[Case, dict[str, Any]]:
    case = Case.new(folder, purpose="p", basis="b", actor=FIRST, lab=lab)
    name, _ = search(case, gallery, actor=FIRST, lines=[WORDS], origin="witness", top_k=2)
    return case, case.read_search(name)


def test_they_are_drawn_with_the_search_of_those_who_are_declared_to_be_strangers(
    gallery: Gallery, tmp_path: Path
) -> None:
    case, kept = searched(tmp_path / "case", gallery, RULES)
    rows = kept["foils"]["rows"]
    assert (len(rows), kept["foils"]["rate"]) == (2, 1.0)
    listed = {each["subject_id"] for each in kept["result"]["candidates"]}
    assert len({row.subject_id for row in gallery.store.rows(rows)} | listed) == 4
    ranks = {hit.rank for hit in gallery.query(caption=WORDS, top_k=12) if hit.row_id in rows}
    assert ranks <= {3, 7, 11, 12}, "the first is staff and a candidate, and so no foil"
    assert replay(case, gallery, "S0001", actor=FIRST).same

    def ask(asked: dict[str, Any]) -> Any:
        return gallery.query(caption=WORDS, top_k=asked["top_k"], where=asked["where"])

    result, asked = gallery.query(caption=WORDS, top_k=2), kept["asked"]
    drawn = [foils.draw(RULES, gallery, asked, result, ask, seed) for seed in (kept["foils"]["seed"], 1, 2, 3)]
    assert drawn[0] == kept["foils"], "by the seed"
    assert len({tuple(each["rows"]) for each in drawn}) > 1
    half = replace(RULES, foils=0.5)
    assert {len(foils.draw(half, gallery, asked, result, ask, seed)["rows"]) for seed in range(12)} == {0, 1, 2}
    assert "foils" not in searched(tmp_path / "none", gallery, Lab())[1]
    for rate in (-0.1, 1.5, float("nan")):
        with pytest.raises(InputError, match="from 0 to 1"):
            Lab(foils=rate)


def test_nobody_is_a_foil_whom_the_laboratory_has_not_declared_to_be_a_stranger(
    gallery: Gallery, tmp_path: Path
) -> None:
    for rules, found in (
        (Lab(foils=0.1), "found: nothing"),
        (Lab(foils=0.1, foil_where="role = "), "found: its end"),
    ):
        with pytest.raises(InputError, match=found):
            Case.new(tmp_path / "none", purpose="p", basis="b", actor=FIRST, lab=rules)
    assert not (tmp_path / "none").exists()
    for where, found in (("rank = 'staff'", "no such column"), ("subject_id != ''", "are strangers by it")):
        with pytest.raises(InputError, match=found):
            searched(tmp_path / where[:4], gallery, replace(RULES, foil_where=where))
        assert not Case.open(tmp_path / where[:4]).files.logged().keys() & {"searches/S0001.json"}


def test_a_case_of_before_they_were_declared_tells_that_they_are_presumed(
    gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, kept = searched(tmp_path / "case", gallery, RULES)
    wrong, folder = kept["foils"]["rows"][0], tmp_path / "lab"
    reviewed(case, wrong, folder)
    decide(case.folder, "release", actor="reviewer-1")
    old = replace(case, lab=Lab(foils=1.0))  # as its case.json says
    for language, told in (("de", "nicht als Fremde benannt"), ("en", "presumed, not known")):
        page = report_page(old, language)
        assert told in page
        assert "falsch positiv" not in page
        assert "false positive" not in page
    count_case(folder, old)
    assert [each.foils_same.of for each in examiners(folder)] == [0, 0]
    assert "foils" not in searched(tmp_path / "rules", gallery, Lab())[1]
    asked, result = kept["asked"], gallery.query(caption=WORDS, top_k=2)
    assert foils.draw(old.lab, gallery, asked, result, lambda other: result) == {}, "it goes on without foils"


def reviewed(case: Case, wrong: int, statistics: Path) -> None:
    """Two people; the first takes one foil for the person sought."""
    for actor in (FIRST, SECOND):
        given = {"actor": actor, "extra": ("--statistics", str(statistics))}
        decide(case.folder, "begin", *given["extra"], actor=actor)
        decide(case.folder, "analyse", "--text", "as said", *given["extra"], actor=actor)
        for at in range(1, 5):
            review = review_of(case, "S0001")
            assert review is not None
            same = actor == FIRST and review.row_to_show(actor, f"C{at:02d}") == wrong
            made = "support for same" if same else "excluded"
            decide(case.folder, "decide", "--label", f"C{at:02d}", "--decision", made, actor=actor)
        shown = decide(case.folder, "unmask", actor=actor)
        assert sum(each.get("foil", False) for each in shown["candidates"]) == 2
        decide(case.folder, "conclude", "--conclusion", "no candidate", *given["extra"], actor=actor)


def test_report_and_statistics(gallery: Gallery, tmp_path: Path) -> None:
    case, kept = searched(tmp_path / "case", gallery, RULES)
    rows, folder = kept["foils"]["rows"], tmp_path / "lab"
    reviewed(case, rows[0], folder)
    decide(case.folder, "release", actor="reviewer-1")
    plain = CliRunner().invoke(app, ["case", "decide", str(case.folder), "S0001", "--actor", FIRST]).output
    assert plain.count("foil: false positive") == 1

    page = report_page(case, "de")
    for row in gallery.store.rows(rows):
        assert row.subject_id not in page, "a foil is nobody in this case"
    assert page.count("falsch positiv") == 1
    assert "je Kandidat im Mittel 1,00" in page
    assert "als Fremde benannt hat (role = &#39;staff&#39;)" in page
    assert "In dieser Liste: 2." in page
    assert page.count('<td class="number">Blindprobe (C0') == 4
    assert report_paper(case, "en")[:5] == b"%PDF-"

    (path,) = folder.iterdir()
    text = path.read_text()
    names = [each["subject_id"] for each in kept["result"]["candidates"]]
    assert [each for each in (case.id, "S0001", *names, WORDS) if each in text or each in path.name] == []
    zipped = tmp_path / "out.zip"
    export(case, zipped, actor=FIRST)
    receive_export(zipped, tmp_path / "imported")
    assert count_case(folder, case) == count_case(folder, open_to_read(tmp_path / "imported")) == 1
    assert path.read_text() == text
    assert list(folder.iterdir()) == [path], "counted again, not twice"
    first, second = examiners(folder)
    assert (first.name, first.reviews, first.foils_same.count, first.foils_same.of) == (FIRST, 1, 1, 2)
    assert (first.foils_same.low, first.foils_same.high) == (0.012579, 0.987421)  # Clopper–Pearson, 1 of 2
    assert (second.foils_same.count, second.foils_different.count) == (0, 2)
    assert first.decisions == second.decisions
    assert first.decisions["excluded"] == 2
    assert (first.agreed.count, first.agreed.of, first.decided_alike.count, first.decided_alike.of) == (1, 1, 2, 2)

    told = CliRunner().invoke(app, ["examiner", "stats", "--statistics", str(folder), "--json"])
    assert json.loads(told.stdout)["examiners"][0]["foils_same"]["of"] == 2
    shown = CliRunner().invoke(
        app, ["examiner", "stats", "--statistics", str(tmp_path / "new"), "--from", str(case.folder)]
    )
    assert "1 of 2 (1.3–98.7 %)" in shown.output
    path.write_text(text.replace('"format":1', '"format":9'))
    with pytest.raises(InputError, match="--from CASE"):
        examiners(folder)
    with pytest.raises(InputError, match="no folder"):
        examiners(tmp_path / "nowhere")
