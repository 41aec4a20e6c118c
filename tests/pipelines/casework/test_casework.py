"""Cases: what is kept is what was logged, a stranger can check it, and a search can be run again."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.casework.case.case import Case
from pipelines.casework.exchange.export import export
from pipelines.casework.searches.replay import replay
from pipelines.casework.searches.search import search
from pipelines.search.gallery import Gallery
from tgfr_search.app.cli.main import app
from tgfr_search.audit.errors import AuditError
from tgfr_search.audit.retention import read_entries
from tgfr_search.audit.verify import check_folder
from tgfr_search.errors import InputError
from tgfr_search.model.loaded import FaceTextModel

PURPOSE, BASIS, WORDS, NOTE = "fraud at Heidi's bank", "§ 98c StPO", "a man with a beard", "seen by Erika Mustermann"


@pytest.fixture(scope="module")
def gallery(held: Path, model: FaceTextModel) -> Gallery:
    return Gallery.open(held, model=model)


@pytest.fixture(scope="module")
def probe(demo: Path) -> Path:
    with (demo / "probes.csv").open(encoding="utf-8", newline="") as file:
        return demo / next(row["image"] for row in csv.DictReader(file) if row["quality"] == "clean")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, gallery: Gallery, probe: Path) -> Path:
    """A case with evidence, a search by photo and words, one by words, and a note."""
    folder = tmp_path_factory.mktemp("cases") / "case"
    case = Case.new(folder, purpose=PURPOSE, basis=BASIS, actor="examiner-1")
    name = case.add(probe, actor="examiner-1")
    assert case.add(probe, actor="examiner-1") == name == f"E0001{probe.suffix}"
    search(case, gallery, actor="examiner-1", evidence=name, lines=[WORDS], origin="witness", top_k=5)
    search(case, gallery, actor="examiner-1", lines=[WORDS], top_k=3)
    assert case.note(NOTE, actor="examiner-1") == "N0001"
    return folder


@pytest.fixture
def case(made: Path, tmp_path: Path) -> Case:
    shutil.copytree(made, tmp_path / "case")
    return Case.open(tmp_path / "case")


def unpacked(case: Case, target: Path) -> Path:
    export(case, target.with_suffix(".zip"), actor="examiner-1")
    with zipfile.ZipFile(target.with_suffix(".zip")) as archive:
        archive.extractall(target)
    return target


def test_the_answer_is_kept_and_the_log_names_nobody(case: Case, gallery: Gallery, probe: Path) -> None:
    name, result = search(case, gallery, actor="examiner-2", lines=["a woman"], top_k=4)
    kept = case.read_search(name)
    assert name == "S0003"
    assert kept["result"] == json.loads(json.dumps(result.as_dict()))
    assert kept["result"]["index_id"] == f"{gallery.store.index_id}@{gallery.store.generation}"
    log = (case.folder / "audit" / "log.jsonl").read_text()
    secrets = {PURPOSE, BASIS, WORDS, NOTE, "Heidi", "Mustermann", probe.name, "a woman"}
    secrets |= {hit.subject_id for hit in result} | {hit.image for hit in result}
    assert not [secret for secret in secrets if secret in log]
    told = case.entries()[-1]
    assert (told["act"], told["actor"], told["case"], told["words_origin"]) == (
        "search",
        "examiner-2",
        case.id,
        "unknown",
    )
    assert told["list_length"] == 4
    assert case.evidence(f"E0001{probe.suffix}") == probe.read_bytes()


def test_replay_gives_the_same_or_says_what_differs(
    case: Case, gallery: Gallery, model: FaceTextModel, tmp_path: Path
) -> None:
    for name in ("S0001", "S0002"):
        again = replay(case, gallery, name, actor="examiner-2")
        assert (again.same, again.differs) == (True, ())
    changed = tmp_path / "index"
    shutil.copytree(gallery.store.path, changed, ignore=shutil.ignore_patterns("holds"))
    other = Gallery.open(changed, model=model)
    gone = case.read_search("S0001")["result"]["candidates"][0]["row_id"]
    with other.store.writer() as writer:
        writer.delete(row_ids=[gone])
        writer.commit()
    again = replay(case, other, "S0001", actor="examiner-2")
    assert not again.same
    assert again.differs[0].startswith("index_id: ")
    assert any(line.startswith("rank 1: ") for line in again.differs)
    assert [entry["details"]["same"] for entry in case.entries() if entry["act"] == "replay"] == [True, True, False]


def test_an_export_is_the_same_twice_and_whole_elsewhere(case: Case, tmp_path: Path) -> None:
    one = export(case, tmp_path / "one.zip", actor="examiner-1")
    assert one.left_out == ()
    assert export(case, tmp_path / "two.zip", actor="examiner-2") == one
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    bag = unpacked(case, tmp_path / "bag")
    run = subprocess.run([sys.executable, "-I", "-S", "verify.py", "."], cwd=bag, capture_output=True, text=True)
    assert (run.returncode, run.stdout.splitlines()[-1]) == (0, "whole"), run.stdout
    names = {path.relative_to(bag).as_posix() for path in bag.rglob("*") if path.is_file()}
    assert {"bagit.txt", "manifest-sha256.txt", "data/proofs/S0001.json", "data/audit/checkpoint"} <= names
    assert not [name for name in names if "signing" in name or "LOCK" in name or "state" in name]
    with pytest.raises(InputError, match="an export is never written over"):
        export(case, tmp_path / "one.zip", actor="examiner-1")
    case.note("later", actor="examiner-1")
    assert export(case, tmp_path / "three.zip", actor="examiner-1") != one


def rewritten(bag: Path) -> None:
    """The manifests made anew, as somebody who changes a file would."""
    from pipelines.casework.exchange.export import _manifest

    data = {path.relative_to(bag).as_posix(): path.read_bytes() for path in (bag / "data").rglob("*") if path.is_file()}
    (bag / "manifest-sha256.txt").write_bytes(_manifest(data))
    listed = (bag / "tagmanifest-sha256.txt").read_text().splitlines()
    tags = {line.split("  ")[1]: (bag / line.split("  ")[1]).read_bytes() for line in listed}
    (bag / "tagmanifest-sha256.txt").write_bytes(_manifest(tags))


def swap_evidence(bag: Path) -> None:
    next((bag / "data" / "evidence").iterdir()).write_bytes(b"another photo")


def remove_search(bag: Path) -> None:
    (bag / "data" / "searches" / "S0002.json").unlink()


def add_file(bag: Path) -> None:
    (bag / "data" / "notes" / "N0009.txt").write_text("never logged")


def change_answer(bag: Path) -> None:
    path = bag / "data" / "searches" / "S0001.json"
    path.write_text(path.read_text().replace('"rank":1', '"rank":2', 1))


def list_for_entry(bag: Path) -> None:
    path = bag / "data" / "audit" / "log.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:4], b"[1]\n", *lines[5:]]))


def change_proof(bag: Path) -> None:
    path = bag / "data" / "proofs" / "S0001.json"
    path.write_text(path.read_text().replace('"index":', '"index":1'))


@pytest.mark.parametrize(
    "change", [swap_evidence, remove_search, add_file, change_answer, change_proof, list_for_entry]
)
def test_a_changed_export_is_not_whole(case: Case, tmp_path: Path, change: Callable[[Path], None]) -> None:
    bag = unpacked(case, tmp_path / "bag")
    assert check_folder(bag).problems == []
    change(bag)
    assert check_folder(bag).problems
    rewritten(bag)
    assert check_folder(bag).problems


def test_a_file_that_changed_is_not_worked_with(case: Case, gallery: Gallery, probe: Path, tmp_path: Path) -> None:
    name = f"E0001{probe.suffix}"
    (case.folder / "evidence" / name).write_bytes(b"another photo")
    with pytest.raises(InputError, match="other bytes than those that were logged"):
        search(case, gallery, actor="examiner-1", evidence=name)
    with pytest.raises(InputError, match="other bytes"):
        export(case, tmp_path / "case.zip", actor="examiner-1")


def test_what_a_kill_left_is_finished_or_removed(case: Case) -> None:
    note = case.folder / "notes" / "N0001.txt"
    note.rename(note.with_name("N0001.txt.pending"))
    (case.folder / "searches" / "S0003.json.pending").write_text("{}")
    again = Case.open(case.folder)
    assert again.files.kept("notes/N0001.txt").decode() == NOTE
    assert not list(case.folder.rglob("*.pending"))
    assert again.note("another", actor="examiner-1") == "N0002"


def test_what_cannot_be_logged_is_not_answered(case: Case, gallery: Gallery) -> None:
    def full(step: str) -> None:
        raise OSError(28, "No space left on device")

    case.files.log.on_step = full
    with pytest.raises(AuditError, match="so it was not answered"):
        search(case, gallery, actor="examiner-1", lines=[WORDS])
    Case.open(case.folder)
    assert sorted(path.name for path in (case.folder / "searches").iterdir()) == ["S0001.json", "S0002.json"]


def test_bad_input(case: Case, gallery: Gallery, tmp_path: Path) -> None:
    for purpose, basis, actor in (("", "b", "a"), ("p", " ", "a"), ("p", "b", "")):
        with pytest.raises(InputError, match="no search without it"):
            Case.new(tmp_path / "new", purpose=purpose, basis=basis, actor=actor)
    with pytest.raises(InputError, match="an empty one"):
        Case.new(case.folder, purpose="p", basis="b", actor="a")
    with pytest.raises(InputError, match="no case"):
        Case.open(tmp_path)
    with pytest.raises(InputError, match="--kind; found: photo"):
        case.add(case.folder / "case.json", actor="a", kind="photo")
    with pytest.raises(InputError, match="--origin"):
        search(case, gallery, actor="a", lines=[WORDS], origin="hearsay")
    with pytest.raises(InputError, match=r"S0099\.json"):
        case.read_search("S0099")
    case.close(actor="examiner-1")
    for act in (lambda: case.note("x", actor="a"), lambda: search(case, gallery, actor="a", lines=[WORDS])):
        with pytest.raises(InputError, match="a closed case"):
            act()


def test_the_commands(held: Path, probe: Path, tmp_path: Path) -> None:
    run, case, index = CliRunner(), str(tmp_path / "case"), str(held)
    assert run.invoke(app, ["case", "new", case, "--purpose", PURPOSE, "--basis", BASIS]).exit_code == 0
    asked = [
        "case",
        "search",
        case,
        str(probe),
        "--index",
        index,
        "--caption",
        WORDS,
        "--actor",
        "examiner-1",
        "--json",
    ]
    found = run.invoke(app, asked)
    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)
    assert (told["search"], len(told["candidates"])) == ("S0001", 12)
    assert run.invoke(app, ["case", "note", case, NOTE]).exit_code == 0
    assert run.invoke(app, ["case", "export", case, str(tmp_path / "out.zip")]).exit_code == 0
    assert run.invoke(app, ["case", "replay", case, "S0001"]).exit_code == 0
    assert run.invoke(app, ["audit", "verify", case]).exit_code == 0
    assert run.invoke(app, ["case", "close", case]).exit_code == 0


def test_the_index_is_the_default_one_and_an_audit_log_is_told_of_searches(
    held: Path, probe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, log = CliRunner(), str(tmp_path / "log")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TGFR_INDEX", raising=False)
    shutil.copytree(held, "tgfr-index")
    assert run.invoke(app, ["case", "new", "case", "--purpose", PURPOSE, "--basis", BASIS]).exit_code == 0
    found = run.invoke(app, ["case", "search", "case", str(probe), "--kind", "video frame", "--audit", log])
    assert found.exit_code == 0, found.output
    assert run.invoke(app, ["case", "replay", "case", "S0001", "--audit", log]).exit_code == 0
    (kind,) = [
        entry["details"]["kind"] for entry in Case.open(Path("case")).entries() if entry["act"] == "evidence received"
    ]
    assert kind == "video-frame"
    assert [entry["act"] for _, entry in read_entries(Path(log))] == ["log opened", "search", "search"]
    with pytest.raises(InputError, match="--kind; found: no probe"):
        run.invoke(app, ["case", "search", "case", "--caption", WORDS, "--kind", "still"], catch_exceptions=False)


@pytest.mark.parametrize(
    ("kind", "origin", "reason"),
    [
        ("sketch", "witness", "not_a_photograph_of_the_person"),
        ("look-alike", "unknown", "not_a_photograph_of_the_person"),
        ("still", "made from the probe picture", "description_of_the_probe_picture"),
        ("video frame", "witness", None),
    ],
)
def test_what_a_probe_is_decides_whether_it_has_a_likelihood_ratio(
    kind: str, origin: str, reason: str | None, gallery: Gallery, probe: Path, tmp_path: Path
) -> None:
    case = Case.new(tmp_path / "case", purpose=PURPOSE, basis=BASIS, actor="examiner-1")
    name = case.add(probe, actor="examiner-1", kind=kind)
    _, result = search(case, gallery, actor="examiner-1", evidence=name, lines=[WORDS], origin=origin, top_k=2)
    told = result.as_dict()["candidates"][0]["lr"]
    assert told["refused"] == reason
    assert (told["log10"] is None) == (reason is not None)
    assert replay(case, gallery, "S0001", actor="examiner-1").same


def test_a_replay_tells_another_calibration(case: Case, gallery: Gallery) -> None:
    without = Gallery(gallery.store, gallery.model, gallery.finder, None, replace(gallery.judge, calibration=None))
    again = replay(case, without, "S0001", actor="examiner-2")
    assert again.differs[0].startswith("calibration: ")
    assert again.differs[0].endswith(" then, none now")
    assert any("likelihood ratio: a number then, no_calibration now" in told for told in again.differs)
    assert replay(case, gallery, "S0001", actor="examiner-2").same
