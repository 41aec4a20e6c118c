"""`case open` and `case decide`: the blind review on the command line, by two people, in order."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from test_reviews import answer
from typer.testing import CliRunner

from indexer import Store, purge
from pipelines.casework.case.case import Case
from pipelines.casework.report.facts import facts_of
from pipelines.casework.report.report import report_page, report_paper, write_report
from pipelines.casework.review.review import ReviewError
from pipelines.casework.searches.search import search
from pipelines.search.gallery import Gallery
from tgfr_search.app.cli.main import app
from tgfr_search.audit.verify import Key, check_log, read_checkpoint
from tgfr_search.errors import InputError
from tgfr_search.model.loaded import FaceTextModel


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = Case.new(tmp_path / "case", purpose="fraud", basis="law", actor="examiner-1")
    made.search(lambda _: answer((4, 9)), actor="examiner-1", evidence=None,
                asked={"top_k": 2, "lines": ["a man"], "where": None, "index": ""}, lines=["a man"], origin="witness",
                rows=10)  # fmt: skip
    return made.folder


def decide(folder: Path, *given: str, actor: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["case", "decide", str(folder), "S0001", *given, "--actor", actor, "--json"])
    if done.exception is not None:
        raise done.exception
    return dict(json.loads(done.stdout))


def opened(folder: Path) -> dict[str, Any]:
    return dict(json.loads(CliRunner().invoke(app, ["case", "open", str(folder), "--json"]).stdout))


def person(folder: Path, actor: str) -> dict[str, Any]:
    assert decide(folder, "begin", actor=actor)["next"] is None
    assert decide(folder, "analyse", "--text", "sharp", actor=actor)["next"] == "C01"
    blind = decide(folder, "decide", "--label", "C01", "--decision", "excluded", actor=actor)
    assert blind["next"] == "C02"
    assert not {"row", "rank"} & {name for each in blind["candidates"] for name in each}
    decide(folder, "decide", "--label", "C02", "--decision", "inconclusive", actor=actor)
    shown = decide(folder, "unmask", actor=actor)
    assert sorted(each["row"] for each in shown["candidates"]) == [4, 9]
    decide(folder, "revise", "--label", "C02", "--decision", "excluded", "--reason", "the ear", actor=actor)
    return decide(folder, "conclude", "--conclusion", "no candidate", actor=actor)


def test_two_people_to_the_release(folder: Path) -> None:
    assert decide(folder, actor="examiner-1")["step"] == opened(folder)["searches"][0]["step"] == "opened"
    with pytest.raises(ReviewError):
        decide(folder, "release", actor="examiner-1")
    assert person(folder, "examiner-1")["step"] == "another person is needed"
    with pytest.raises(ReviewError, match="another person than before"):
        decide(folder, "begin", actor="examiner-1")
    assert [each["actor"] for each in person(folder, "examiner-2")["persons"]] == ["examiner-1", "examiner-2"]
    decide(folder, "release", actor="examiner-2")
    told = opened(folder)
    assert (told["purpose"], told["closed"], told["searches"][0]["step"]) == ("fraud", False, "released")
    plain = CliRunner().invoke(app, ["case", "open", str(folder)]).output
    assert "released" in plain
    assert "fraud" in plain


@pytest.mark.parametrize(
    "given",
    [
        ("decide", "--label", "C01"),
        ("analyse",),
        ("begin", "--text", "x"),
        ("unmask", "--unsuitable"),
        ("--picture", "x.png"),
        ("--picture", "x.jpg"),
    ],
)
def test_what_a_step_does_not_take(folder: Path, given: tuple[str, ...]) -> None:
    with pytest.raises(InputError):
        decide(folder, *given, actor="examiner-1")


def test_an_unsuitable_probe_ends_the_work(folder: Path) -> None:
    decide(folder, "begin", actor="examiner-1")
    ended = decide(folder, "analyse", "--text", "a smear", "--unsuitable", actor="examiner-1")
    assert (ended["step"], ended["next"]) == ("another person is needed", None)
    with pytest.raises(ReviewError):
        decide(folder, "nonsense", actor="examiner-2")


def test_the_report(folder: Path, tmp_path: Path) -> None:
    run = CliRunner()

    def report(name: str, *given: str) -> Any:
        return run.invoke(app, ["case", "report", str(folder), str(tmp_path / name), *given, "--actor", "reviewer-1"])

    assert isinstance(report("early.html").exception, ReviewError)  # before the second person
    person(folder, "examiner-1")
    assert isinstance(report("early.html").exception, ReviewError)
    person(folder, "examiner-2")
    decide(folder, "release", actor="reviewer-1")
    assert not (tmp_path / "early.html").exists()
    assert (
        report("one.html").exit_code
        == report("two.html").exit_code
        == report("de.html", "--language", "de").exit_code
        == 0
    )
    one = (tmp_path / "one.html").read_bytes()
    assert one == (tmp_path / "two.html").read_bytes()
    text = one.decode()
    told = Case.open(folder).entries()
    expected = (
        f"{told[1]['ended']}, by examiner-1",
        "first person",
        "second person",
        "(C01)",
        "No foils stood among the candidates.",
        "examiner-1",
        "examiner-2",
        "reviewer-1",
        "sharp",
        "the ear",
        "fraud",
        "s4",
        "s9",
        "index@3",
        "10 records",
    )
    assert [told for told in (*expected, "not independent") if told not in text] == []
    assert "%</td>" not in text
    assert "http" not in text.replace("http-equiv", "")
    german = (tmp_path / "de.html").read_text()
    assert '<html lang="de">' in german
    assert "Wahllichtbildvorlage" in german
    log = (folder / "audit" / "log.jsonl").read_text()
    assert log.count('"act":"report"') == 3
    assert check_log(folder / "audit").problems == []
    key = Key.read((folder / "audit" / "log.vkey").read_text())
    note = unescape(text.split("<pre>")[1].split("</pre>")[0]).strip() + "\n"
    size, _ = read_checkpoint(note, key)
    assert size == len(Case.open(folder).entries()) - 3
    inside = run.invoke(app, ["case", "report", str(folder), str(folder / "r.html")])
    assert isinstance(inside.exception, InputError)
    assert isinstance(report("x.docx").exception, InputError)


def test_a_german_report_has_german_propositions(tmp_path: Path) -> None:
    told = {
        "sha256": "c" * 64, "population": "people of MM-CelebA-HQ", "people": 498, "propositions": ["H1", "H2"],
        "sampling": "everybody in it with a face that was found",
    }  # fmt: skip
    lr = {"log10": None, "low": None, "high": None, "bounded": False, "refused": "enhanced"}
    found = answer((4, 9))
    found = replace(found, calibration=told, candidates=tuple(replace(hit, lr=lr) for hit in found.candidates))
    case = Case.new(tmp_path / "case", purpose="fraud", basis="law", actor="examiner-1")
    case.search(lambda _: found, actor="examiner-1", evidence=None,
                asked={"top_k": 2, "lines": ["a man"], "where": None, "index": ""}, lines=["a man"], origin="witness",
                rows=12345)  # fmt: skip
    for actor in ("examiner-1", "examiner-2"):
        person(case.folder, actor)
    decide(case.folder, "release", actor="reviewer-1")
    pages = {language: report_page(case, language) for language in ("en", "de")}
    assert "H2: Die Probe zeigt eine andere Person aus: Personen aus MM-CelebA-HQ (kalibriert an 498" in pages["de"]
    assert "In dieser Suche wird kein Likelihood-Quotient genannt: Bild wurde bearbeitet." in pages["de"]
    assert "eine Galerie von 12.345 Einträgen" in pages["de"]
    assert '<td class="number">1,000</td>' in pages["de"]
    assert "a gallery of 12,345 records" in pages["en"]
    assert '<td class="number">1.000</td>' in pages["en"]
    moments = [entry["ended"] for entry in case.entries()]
    year, month, day = moments[-1][:10].split("-")
    assert f"{day}.{month}.{year} {moments[-1][11:19]}," in pages["de"]
    assert moments[-1][:10] not in pages["de"]
    assert moments[-1] in pages["en"]
    assert "H2: the probe shows another person of people of MM-CelebA-HQ (498 people calibrated" in pages["en"]
    assert report_paper(case, "de") != report_paper(case, "en")


def test_the_report_on_paper(folder: Path, tmp_path: Path) -> None:
    for actor in ("examiner-1", "examiner-2"):
        person(folder, actor)
    decide(folder, "release", actor="reviewer-1")
    case = Case.open(folder)
    (searched,) = facts_of(case).searches
    assert (searched["rows"], searched["asked_for"], searched["actor"]) == (10, 2, "examiner-1")
    acts = [(told["actor"], told["act"]) for told in searched["history"]]
    assert acts[0] == ("examiner-1", "begin")
    assert acts[-1] == ("reviewer-1", "release")
    ranks = {told["rank"] for told in searched["history"] if told["act"] in ("decide", "revise")}
    assert ranks == {1, 2}
    entries = {entry["ended"] for entry in case.entries()}
    assert {told["when"] for told in searched["history"]} <= entries
    one, two = tmp_path / "one.pdf", tmp_path / "two.PDF"
    made = [write_report(case, path, actor="examiner-1", language="de") for path in (one, two)]
    assert one.read_bytes() == two.read_bytes()
    assert made == [hashlib.sha256(one.read_bytes()).hexdigest()] * 2
    write_report(case, one, actor="examiner-1")  # over an earlier report
    one.write_bytes(b"%PDF-1.7 of somebody else")
    with pytest.raises(InputError, match="did not write"):
        write_report(case, one, actor="examiner-1")


def test_the_picture_of_who_is_compared_now(index: Path, model: FaceTextModel, demo: Path, tmp_path: Path) -> None:
    case = Case.new(tmp_path / "case", purpose="p", basis="b", actor="examiner-1")
    name = case.add(next((demo / "gallery/person0000").glob("*.png")), actor="examiner-1")
    search(case, Gallery.open(index, model=model), actor="examiner-1", evidence=name, top_k=2)
    picture = tmp_path / "next.jpg"
    Image.new("RGB", (9, 9)).save(picture)
    decide(case.folder, "begin", actor="examiner-1")
    asked = ("analyse", "--text", "sharp", "--picture", str(picture))
    with pytest.raises(InputError, match="did not write"):
        decide(case.folder, *asked, actor="examiner-1")
    assert decide(case.folder, actor="examiner-1")["step"] == "probe to be analysed"  # refused before the act
    picture.unlink()
    shown = []
    decide(case.folder, *asked, actor="examiner-1")
    with Image.open(picture) as face:
        shown.append(face.tobytes())
    gallery = Gallery.open(index, model=model)
    assert isinstance(gallery.store, Store)
    with gallery.store.writer() as writer:  # the picture is the one that was searched, deleted since or not
        writer.delete(row_ids=gallery.store.row_ids().tolist())
        writer.commit()
    purge(gallery.store)
    given = ("decide", "--label", "C01", "--decision", "inconclusive", "--picture", str(picture))
    decide(case.folder, *given, actor="examiner-1")  # over the one before
    with Image.open(picture) as face:
        shown.append(face.tobytes())
    assert shown[0] != shown[1]
    data = picture.read_bytes()
    assert not [told for told in (b"person00", b"score", b"view0") if told in data]


def test_a_look_is_logged(folder: Path) -> None:
    opened(folder)
    decide(folder, actor="examiner-2")
    looks = [entry["details"]["what"] for entry in Case.open(folder).entries() if entry["act"] == "view"]
    assert looks == ["case", "search S0001"]
