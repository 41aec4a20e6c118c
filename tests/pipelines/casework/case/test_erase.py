"""Two hundred secrets: nowhere in the log, and after the end of the case nowhere at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.casework.case.case import Case
from pipelines.casework.case.erase import erase
from pipelines.casework.case.holds import close, hold_legally
from pipelines.casework.review.reviews import act
from tgfr_search.app.cli.main import app
from tgfr_search.audit.verify import check_log
from tgfr_search.errors import InputError
from tgfr_search.types import QueryResult, SearchHit

ACTOR = "examiner-1"
SECRETS = [f"Erika Mustermann-{number:03d}" for number in range(200)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A case in which every secret was said: names of files, words, captions, subjects, notes, fields, reviews."""
    left = iter(SECRETS)
    fields = {f"field {number}": next(left) for number in range(10)}
    case = Case.new(tmp_path / "case", purpose=next(left), basis=next(left), actor=ACTOR, fields=fields)
    for _ in range(30):
        path = tmp_path / f"{next(left)}.jpg"
        path.write_bytes(path.name.encode())
        case.add(path, actor=ACTOR)
        path.unlink()
    for _ in range(20):
        case.note(next(left), actor=ACTOR)
    for at in range(10):
        hits = tuple(
            SearchHit(rank, next(left), 10 * at + rank, 1.0, {}, next(left), next(left)) for rank in range(1, 4)
        )
        lines = [next(left)]
        told = QueryResult(hits, {"sha256": None}, "caption", {}, 0.0, "model", "index@3", {})
        asked = {"top_k": 3, "lines": lines, "where": next(left), "index": ""}
        name, _ = case.search(
            lambda _, told=told: told, actor=ACTOR, evidence=None, asked=asked, lines=lines, origin="witness", rows=9
        )
        act(case, name, "begin", actor=ACTOR)
        act(case, name, "analyse", actor=ACTOR, text=next(left))
        mark = {"feature": "nose", "found": "similar", "note": next(left)}
        act(case, name, "decide", actor=ACTOR, label="C01", decision="excluded", marks=[mark])
    for secret in left:
        case.note(secret, actor=ACTOR)
    return case.folder


def found(folder: Path) -> set[str]:
    """The secrets that a name or a byte below a folder holds."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    data = b"\n".join(str(path.relative_to(folder)).encode() + path.read_bytes() for path in paths)
    return {secret for secret in SECRETS if secret.encode() in data}


def test_no_secret_is_in_the_log_and_none_is_left_at_the_end(folder: Path) -> None:
    assert found(folder) == set(SECRETS)
    assert found(folder / "audit") == set()
    with pytest.raises(InputError, match="an open case; expected: a closed one"):
        erase(folder, actor=ACTOR)
    case = Case.open(folder)
    hold_legally(case, actor=ACTOR)
    close(case, actor=ACTOR)
    with pytest.raises(InputError, match="on legal hold"):
        erase(folder, actor=ACTOR)
    assert found(folder) == set(SECRETS)
    hold_legally(case, actor=ACTOR, release=True)
    done = CliRunner().invoke(app, ["case", "erase", str(folder), "--actor", ACTOR])
    assert done.exception is None, done.output
    assert found(folder) == set()
    assert list((folder / "audit" / "keys").iterdir()) == []
    assert check_log(folder / "audit").problems == []
    with pytest.raises(InputError, match="no case"):
        Case.open(folder)


@pytest.mark.parametrize("at", ["pathlib.Path.unlink", "tgfr_search.audit.keys.CaseKeys.destroy"])
def test_a_kill_in_between_is_finished_by_the_same_call(folder: Path, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    close(Case.open(folder), actor=ACTOR)
    real, calls = Path.unlink, []

    def killed(*given: Path) -> None:
        calls.append(given)
        if at.endswith("destroy") or len(calls) == 7:
            raise KeyboardInterrupt
        real(*given)

    with monkeypatch.context() as patched:
        patched.setattr(at, killed)
        with pytest.raises(KeyboardInterrupt):
            erase(folder, actor=ACTOR)
    assert erase(folder, actor=ACTOR) >= 0
    assert found(folder) == set()
    assert list((folder / "audit" / "keys").iterdir()) == []
    assert (folder / "audit" / "log.jsonl").read_text().count("key destroyed") == 1
