"""Searches and changes with a log: the command line and the library tell it first, and answer only then."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.index import IndexSummary, index_gallery
from pipelines.query import Gallery
from tgfr_search.audit.errors import AuditError
from tgfr_search.audit.journal import LogJournal
from tgfr_search.audit.retention import read_entries
from tgfr_search.audit.verify import LOG, check_log
from tgfr_search.cli import app
from tgfr_search.model.checkpoint import FaceTextModel


def test_a_search_is_in_the_log_before_it_is_answered(
    enrolled: tuple[Path, IndexSummary], model: FaceTextModel, tmp_path: Path
) -> None:
    journal = LogJournal.without_case(tmp_path)
    gallery = Gallery.open(enrolled[0], model=model, journal=journal)
    result = gallery.query(caption="a man with a beard", top_k=3)
    (told,) = [entry for _, entry in read_entries(tmp_path) if entry["act"] == "search"]
    assert told["candidates"] == [{"row": hit.row_id} for hit in result]
    assert f"{told['index']['id']}@{told['index']['generation']}" == result.index_id
    data = (tmp_path / LOG).read_text()
    assert not any(hit.subject_id in data or hit.image in data for hit in result)
    assert "beard" not in data
    gallery.query_many([(None, "a woman"), (None, "a man")])
    assert [entry["act"] for _, entry in read_entries(tmp_path)].count("search") == 3

    def full(step: str) -> None:
        raise OSError(28, "No space left on device")

    journal.log.on_step = full
    with pytest.raises(AuditError, match="so it was not answered; found: No space left"):
        gallery.query(caption="a man with a beard")
    assert check_log(tmp_path).problems == []


def test_an_enrolment_is_told(demo: Path, model: FaceTextModel, tmp_path: Path) -> None:
    journal = LogJournal.without_case(tmp_path / "log")
    summary = index_gallery(demo / "gallery", tmp_path / "index", model, workers=0, journal=journal)
    details = [entry["details"] for _, entry in read_entries(tmp_path / "log") if entry["act"] == "enrol"]
    assert [each["phase"] for each in details] == ["begun", "done"]
    assert details[1]["rows"] == summary.enrolled


def test_the_commands(enrolled: tuple[Path, IndexSummary], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, log, index = CliRunner(), tmp_path / "log", tmp_path / "index"
    assert run.invoke(app, ["snapshot", str(index), "--index", str(enrolled[0])]).exit_code == 0
    assert (
        run.invoke(app, ["update", "1", "--set", "site=A", "--index", str(index), "--audit", str(log)]).exit_code == 0
    )
    monkeypatch.setenv("TGFR_AUDIT", str(log))
    assert run.invoke(app, ["delete", "--row", "0", "--index", str(index)]).exit_code == 0
    assert run.invoke(app, ["purge", str(index)]).exit_code == 0
    assert run.invoke(app, ["export", str(tmp_path / "export"), "--index", str(index)]).exit_code == 0
    acts = [(entry["act"], entry["details"]["phase"]) for _, entry in read_entries(log) if "details" in entry]
    assert acts == [(act, phase) for act in ("update", "delete", "purge", "export") for phase in ("begun", "done")]
    assert run.invoke(app, ["audit", "anchor", str(log), "--out", str(tmp_path / "kept")]).exit_code == 0
    told = run.invoke(app, ["audit", "verify", str(log), "--against", str(tmp_path / "kept"), "--json"])
    assert (told.exit_code, json.loads(told.stdout)["whole"]) == (0, True)
    shown = run.invoke(app, ["audit", "show", str(log), "--last", "2"])
    assert [line.split("\t")[2] for line in shown.stdout.splitlines()] == ["act", "export", "anchor"]
    (log / LOG).write_bytes((log / LOG).read_bytes().replace(b'"row":1', b'"row":2'))
    told = run.invoke(app, ["audit", "verify", str(log)])
    assert (told.exit_code, "not whole" in told.stdout) == (1, True)
