"""A search of a case is run again as it was, also from an import and on another path, or says why it cannot be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from pyarrow.parquet import read_table
from typer.testing import CliRunner

from indexer import HeldError, StorageError, Store, compact, holds, purge
from pipelines.casework.case.case import Case
from pipelines.casework.case.erase import erase
from pipelines.casework.case.holds import close, hold_legally
from pipelines.casework.exchange.export import export
from pipelines.casework.exchange.imported import open_to_read
from pipelines.casework.exchange.receive import receive_export
from pipelines.casework.searches import replay as replaying
from pipelines.casework.searches.replay import replay
from pipelines.casework.searches.search import search
from pipelines.enrol.rows.edit import delete_rows
from pipelines.search.gallery import Gallery
from tgfr_search.app.cli.main import app
from tgfr_search.audit.entries import Act, Entry
from tgfr_search.audit.errors import AuditError
from tgfr_search.audit.journal import LogJournal
from tgfr_search.audit.verify import check_folder
from tgfr_search.errors import InputError
from tgfr_search.model.loaded import FaceTextModel

ACTOR, WORDS = "examiner-1", "a man with a beard"


@pytest.fixture
def gallery(index: Path, model: FaceTextModel) -> Gallery:
    return Gallery.open(index, model=model)


@pytest.fixture
def case(gallery: Gallery, demo: Path, tmp_path: Path) -> Case:
    made = Case.new(tmp_path / "case", purpose="p", basis="b", actor=ACTOR)
    name = made.add(next((demo / "gallery/person0001").glob("*.png")), actor=ACTOR)
    search(made, gallery, actor=ACTOR, evidence=name, lines=[WORDS], origin="witness", top_k=4)
    return made


def forget_first(case: Case, gallery: Gallery, name: str = "S0001") -> int:
    """Deletes the first candidate's row."""
    row = int(case.read_search(name)["result"]["candidates"][0]["row_id"])
    with gallery.store.writer() as writer:  # type: ignore[union-attr]
        writer.delete(row_ids=[row])
        writer.commit()
    return row


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_search_is_repeated_on_the_generation_that_its_case_holds(case: Case, gallery: Gallery) -> None:
    assert case.read_search("S0001")["held"]
    row = forget_first(case, gallery)
    assert isinstance(gallery.store, Store)
    assert compact(gallery.store).held_by[0].case == case.id
    report = purge(gallery.store)
    assert (report.rows_kept, report.held_by[0].candidates) == (1, (row,))
    again = replay(case, Gallery.open(gallery.store.path, model=gallery.model), "S0001", actor=ACTOR)
    assert (again.same, again.differs, again.logged) == (True, (), True)


def texts_of(folder: Path) -> str:
    """Whatever can be read below a folder: bytes as they are, and the columns of tables, which are compressed."""
    plain = "".join(data.decode("latin-1") for name, data in bytes_of(folder).items() if not name.endswith("parquet"))
    return plain + "".join(str(read_table(path).to_pydict()) for path in folder.rglob("*.parquet"))


def test_after_purge_and_the_end_of_the_key_nobody_is_left(case: Case, gallery: Gallery, tmp_path: Path) -> None:
    """Neither in the case, nor in its log, nor in the index with its holds and caches."""
    journal = LogJournal.without_case(tmp_path / "log")
    told = Gallery.open(gallery.store.path, model=gallery.model, journal=journal)
    told.query(caption=WORDS)  # fills the caches
    first = case.read_search("S0001")["result"]["candidates"][0]
    with gallery.store.writer() as writer:  # type: ignore[union-attr]
        writer.update(first["row_id"], metadata={"said": "Erika Mustermann"})
        writer.commit()
    secrets = [first["subject_id"], first["image"], "Erika Mustermann", WORDS]
    folders = (gallery.store.path, case.folder)
    assert all(any(secret in texts_of(folder) for folder in folders) for secret in secrets)
    assert isinstance(gallery.store, Store)
    delete_rows(gallery.store, subject=first["subject_id"], journal=journal)
    close(case, actor=ACTOR)
    erase(case.folder, actor=ACTOR)
    compact(gallery.store)
    purge(gallery.store)
    left = {
        secret: [folder.name for folder in (*folders, tmp_path / "log") if secret in texts_of(folder)]
        for secret in secrets
    }
    assert left == {key: [] for key in secrets}


def test_a_purge_over_a_case_is_said_plainly(case: Case, gallery: Gallery) -> None:
    forget_first(case, gallery)
    assert isinstance(gallery.store, Store)
    report = purge(gallery.store, over=[case.id])
    assert (report.rows_removed, report.gone_over[0].case) == (1, case.id)
    again = replay(case, gallery, "S0001", actor=ACTOR)
    assert not again.same
    (why,) = again.differs
    assert why.startswith("generation 1: purged at 20")
    assert why.endswith("in spite of this case, so that the search cannot be repeated")
    told = [entry["details"] for entry in case.entries() if entry["act"] == "replay"]
    assert told == [{"search": "S0001", "same": False}]


def test_a_closed_case_holds_nothing_but_on_legal_hold(case: Case, gallery: Gallery) -> None:
    assert isinstance(gallery.store, Store)
    path = gallery.store.path
    forget_first(case, gallery)
    assert hold_legally(case, actor=ACTOR) == []
    with pytest.raises(HeldError, match="on legal hold"):
        purge(gallery.store, over=[case.id])
    assert close(case, actor=ACTOR) == []
    assert [hold.legal for hold in holds.read_holds(path)] == [True]
    moved = path.rename(path.with_name("moved"))
    assert hold_legally(case, actor=ACTOR, release=True) == [path]
    assert close(case, actor=ACTOR, more=[moved]) == [path]
    assert holds.read_holds(moved) == []
    assert purge(Store.open(moved)).rows_removed == 1
    with pytest.raises(InputError, match="a closed case"):
        close(case, actor=ACTOR, more=[moved])
    acts = [entry["act"] for entry in case.entries()][-3:]
    assert acts == ["legal hold", "case closed", "legal hold released"]


def test_an_index_that_may_only_be_read_is_searched_and_the_search_says_that_it_is_not_held(
    case: Case, gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise StorageError(str(path), found="Read-only file system")

    monkeypatch.setattr("indexer.io.make_directory", refuse)
    name, _ = search(case, gallery, actor=ACTOR, lines=[WORDS], top_k=2)
    assert case.read_search(name)["held"] is False


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda hit: hit["lr"].update(log10=hit["lr"]["log10"] + 1e-3), "rank 2: log10 LR "),
        (lambda hit: hit["lr"].update(low=hit["lr"]["low"] - 1e-3), "rank 2: lower end of log10 LR "),
        (lambda hit: hit["lr"].update(high=hit["lr"]["high"] + 1e-3), "rank 2: upper end of log10 LR "),
        (lambda hit: hit["lr"].update(refused="x", log10=None), "rank 2: likelihood ratio: x then, a number now"),
        (lambda hit: hit.update(expected_strangers=hit["expected_strangers"] * 2), "rank 2: expected strangers "),
        (lambda hit: hit.update(score=hit["score"] + 1e-5), "rank 2: score "),
    ],
)
def test_the_field_that_differs_is_named(change: Any, told: str, case: Case, gallery: Gallery) -> None:
    name, _ = search(case, gallery, actor=ACTOR, evidence="E0001.png", top_k=3)
    before = case.read_search(name)["result"]
    after = json.loads(json.dumps(before))
    assert replaying._differences(before, after) == []
    change(before["candidates"][1])
    (line,) = replaying._differences(before, after)
    assert line.startswith(told)
    other = {**after, "calibration": {"sha256": "0" * 64}, "searched": 3}
    lines = replaying._differences(before, other)
    assert lines[0] == f"searched: {before['searched']} then, 3 now"
    assert lines[1].startswith("calibration: ")


def test_an_imported_case_is_repeated_on_another_path_and_stays_as_it_came(
    case: Case, gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(case, tmp_path / "case.zip", actor=ACTOR)
    elsewhere = tmp_path / "elsewhere"
    receive_export(tmp_path / "case.zip", elsewhere / "in")
    assert isinstance(gallery.store, Store)
    index = gallery.store.path.rename(elsewhere / "gallery")
    shutil.rmtree(case.folder)
    before = bytes_of(elsewhere / "in")
    run = CliRunner()
    monkeypatch.setattr("tgfr_search.model.checkpoint.load_model", lambda *given, **options: gallery.model)
    monkeypatch.setattr("pipelines.search.gallery.load_model", lambda *given, **options: gallery.model)
    asked = ["case", "replay", str(elsewhere / "in"), "S0001"]
    done = run.invoke(app, [*asked, "--index", str(index), "--json"])
    assert done.exception is None, done.output
    assert json.loads(done.stdout) == {"search": "S0001", "same": True, "differs": [], "logged": False}
    with pytest.raises(InputError, match=r"--index; found: nothing at .*; expected: where the index is now"):
        run.invoke(app, asked, catch_exceptions=False)
    seen = json.loads(run.invoke(app, ["case", "open", str(elsewhere / "in"), "--json"]).stdout)
    assert (seen["imported"], [each["name"] for each in seen["searches"]]) == (True, ["S0001"])
    for given in (["note", str(elsewhere / "in"), "mine"], ["close", str(elsewhere / "in")]):
        with pytest.raises(InputError, match="an imported case; expected: one that is kept here"):
            run.invoke(app, ["case", *given], catch_exceptions=False)
    imported = open_to_read(elsewhere / "in")
    with pytest.raises(AuditError, match="without its signing key"):
        imported.journal(ACTOR).record(Entry(Act.NOTE))
    assert bytes_of(elsewhere / "in") == before
    assert check_folder(elsewhere / "in").problems == []
    path = elsewhere / "in/data/evidence/E0001.png"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(InputError, match="an export that is whole"):
        run.invoke(app, [*asked, "--index", str(index)], catch_exceptions=False)
