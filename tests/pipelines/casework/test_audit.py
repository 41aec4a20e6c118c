"""Searches and changes with a log: the command line and the library tell it first, and answer only then."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.enrol.index import IndexSummary, index_gallery
from pipelines.search.gallery import Gallery
from tgfr_search.app.cli.main import app
from tgfr_search.audit.errors import AuditError
from tgfr_search.audit.journal import LogJournal
from tgfr_search.audit.retention import read_entries
from tgfr_search.audit.verify import LOG, check_log
from tgfr_search.errors import InputError
from tgfr_search.model.loaded import FaceTextModel


def test_a_search_is_in_the_log_before_it_is_answered(
    enrolled: tuple[Path, IndexSummary], model: FaceTextModel, tmp_path: Path
) -> None:
    journal = LogJournal.without_case(tmp_path)
    gallery = Gallery.open(enrolled[0], model=model, journal=journal)
    result = gallery.query(caption="a man with a beard", top_k=3)
    (told,) = [entry for _, entry in read_entries(tmp_path) if entry["act"] == "search"]
    assert told["candidates"] == [{"row": hit.row_id, "refused": "mode_not_calibrated"} for hit in result]
    assert f"{told['index']['id']}@{told['index']['generation']}" == result.index_id
    state = json.loads((enrolled[0] / "manifest.json").read_text())
    assert told["index"]["sha256"] == result.index_sha256 == state["digest"]
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
    summary = index_gallery(demo / "gallery", tmp_path / "index", model, workers=0, journal=journal, again=True)
    details = [entry["details"] for _, entry in read_entries(tmp_path / "log") if entry["act"] == "enrol"]
    assert [each["phase"] for each in details] == ["begun", "done"]
    expected = {"rows": summary.enrolled, "replaced": 0, "pruned": 0, "withdrawn": 0, "prune": False, "again": True}
    assert expected.items() <= details[1].items()


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


def test_every_act_on_an_index_is_told(
    enrolled: tuple[Path, IndexSummary], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, log, source = CliRunner(), tmp_path / "log", str(enrolled[0])
    copy, back, plain, made = (str(tmp_path / name) for name in ("copy", "back", "plain", "made"))
    monkeypatch.setenv("TGFR_AUDIT", str(log))
    for given in (
        ["snapshot", copy, "--index", source],
        ["restore", copy, "--out", back],
        ["compact", back],
        ["export", plain, "--index", back],
        ["import", plain, "--out", made],
    ):
        told = run.invoke(app, given)
        assert told.exit_code == 0, told.output
    assert run.invoke(app, ["restore", copy, "--out", back]).exit_code != 0
    assert run.invoke(app, ["publish", back, "--milvus-uri", "http://127.0.0.1:9"]).exit_code != 0
    entries = [entry for _, entry in read_entries(log) if "details" in entry]
    ends = {"restore": ["begun", "done", "begun", "failed"], "publish": ["begun", "failed"]}
    for act in ("snapshot", "restore", "compact", "export", "import", "publish"):
        phases = [entry["details"]["phase"] for entry in entries if entry["act"] == act]
        assert phases == ends.get(act, ["begun", "done"]), act
    done = {entry["act"]: entry["details"] for entry in entries if entry["details"]["phase"] == "done"}
    assert done["restore"]["index_id"] == done["snapshot"]["index_id"]
    assert done["import"]["rows"] == done["export"]["rows"] == enrolled[1].rows
    assert str(tmp_path) not in (log / LOG).read_text()


def test_a_case_folder_serves_where_a_log_does(tmp_path: Path) -> None:
    run, case = CliRunner(), tmp_path / "case"
    assert run.invoke(app, ["case", "new", str(case), "--purpose", "p", "--basis", "b"]).exit_code == 0
    for folder in (case, case / "audit"):
        told = run.invoke(app, ["audit", "anchor", str(folder), "--actor", "clerk-7", "--json"])
        assert told.exit_code == 0, told.output
        (tmp_path / "kept").write_text(json.loads(told.stdout)["checkpoint"], encoding="utf-8")
        verified = run.invoke(app, ["audit", "verify", str(folder), "--against", str(tmp_path / "kept"), "--json"])
        assert (verified.exit_code, json.loads(verified.stdout)["whole"]) == (0, True)
        shown = json.loads(run.invoke(app, ["audit", "show", str(folder), "--json"]).stdout)["entries"]
        assert (shown[-1]["act"], shown[-1]["actor"]) == ("anchor", "clerk-7")
    given = ["audit", "anchor", str(case), "--out", str(tmp_path / "out"), "--json"]
    assert json.loads(run.invoke(app, given).stdout)["checkpoint"] == (tmp_path / "out").read_text(encoding="utf-8")


def test_where_no_log_is_that_is_bad_input_and_where_one_was_it_is_not_whole(tmp_path: Path) -> None:
    run = CliRunner()
    for command in ("verify", "anchor", "show"):
        for folder, found in ((tmp_path, "no audit log in it"), (tmp_path / "none", "no such folder")):
            with pytest.raises(InputError, match=found):
                run.invoke(app, ["audit", command, str(folder)], catch_exceptions=False)
    log = LogJournal.without_case(tmp_path / "log").log.folder
    (log / LOG).unlink()
    assert run.invoke(app, ["audit", "verify", str(log)]).exit_code == 1
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "case.json").write_text("{}")
    assert run.invoke(app, ["audit", "verify", str(tmp_path / "case")]).exit_code == 1
