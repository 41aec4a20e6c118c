"""The commands that keep an index, run in this process: they load no model."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from index_helpers import small_index, state

from indexer import Store, holds
from tgfr_search.app.cli import main as cli
from tgfr_search.audit.retention import read_entries


@pytest.fixture
def index(tmp_path: Path) -> Path:
    return small_index(tmp_path / "index").path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command as `main` does; returns its JSON, the exit code must be `code`."""
    monkeypatch.delenv("TGFR_INDEX", raising=False)

    def command(*arguments: object, code: int = 0) -> Any:
        monkeypatch.setattr(sys, "argv", ["tgfr-search", *map(str, arguments), "--json"])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        assert (caught.value.code or 0) == code
        out = capsys.readouterr().out
        return json.loads(out) if out else None

    return command


def test_delete(run: Any, index: Path) -> None:
    digest = Store.open(index).rows([0])[0].image_sha256
    assert run("delete", "--image-sha256", digest, "--index", index)["deleted"] == 1
    assert run("delete", "--row", 2, "--row", 3, "--index", index)["rows"] == 5
    assert run("delete", "--subject", "bert", "--index", index)["deleted"] == 1
    assert "nobody" in run("delete", "--subject", "nobody", "--index", index, code=2)["error"]
    assert "[2]" in run("delete", "--row", 2, "--index", index, code=2)["error"]
    assert "one of row_ids" in run("delete", "--index", index, code=2)["error"]
    assert "one of row_ids" in run("delete", "--row", 4, "--subject", "dora", "--index", index, code=2)["error"]


@pytest.mark.slow
def test_update(run: Any, index: Path) -> None:
    out = run("update", 0, "--subject", "zoe", "--set", "age=41", "--set", "site=B c", "--unset", "n", "--index", index)
    assert (out["subject_id"], out["metadata"]) == ("zoe", {"site": "B c", "age": 41})
    assert Store.open(index).rows([0])[0].metadata == {"site": "B c", "age": 41}
    assert "metadata of row 0: age, site" in run("update", 0, "--unset", "x", "--index", index, code=2)["error"]
    assert "NAME=VALUE" in run("update", 0, "--set", "x", "--index", index, code=2)["error"]
    assert "no change" in run("update", 0, "--index", index, code=2)["error"]
    for name in ("subject_id", "row_id", "image", "quality.sharpness"):  # a filter by these names means the row's own
        assert f"found: {name}, which is" in run("update", 0, "--set", f"{name}=x", "--index", index, code=2)["error"]
    assert "--subject ID" in run("update", 0, "--set", "subject_id=x", "--index", index, code=2)["error"]
    assert "[99]" in run("update", 99, "--subject", "x", "--index", index, code=2)["error"]


def test_update_keeps_the_type_of_a_column(run: Any, index: Path) -> None:
    run("update", 0, "--set", "case=007a", "--set", "age=41", "--set", "seen=true", "--index", index)
    out = run("update", 2, "--set", "case=14", "--set", "age=4.5", "--set", "seen=false", "--index", index)["metadata"]
    assert (out["case"], out["age"], out["seen"]) == ("14", 4.5, False)
    query = np.ones((1, 12), np.float32)
    assert 2 in Store.open(index).search(query, 9, where="case = '14' and age < 5")[0]
    message = run("update", 3, "--set", "age=unknown", "--index", index, code=2)["error"]
    assert "found: 'unknown'; expected: a number, as in the other rows of column 'age'" in message
    run("update", 3, "--set", "age=null", "--index", index)


def test_subjects_are_told_by_any_spelling(run: Any, index: Path) -> None:
    store = Store.open(index)
    with store.writer() as writer:  # as an index made before has them
        writer.update(0, subject_id="Jose\u0301 ")
        writer.update(2, subject_id="Jos\u00e9")
        writer.commit()
    assert run("update", 3, "--subject", " Jose\u0301", "--index", index)["subject_id"] == "Jos\u00e9"
    out = run("delete", "--subject", "Jos\u00e9", "--index", index)
    assert (out["deleted"], out["subjects"]) == (3, ["Jos\u00e9", "Jose\u0301 "])


def test_compact_purge_and_verify(run: Any, index: Path) -> None:
    before = state(Store.open(index))
    assert run("compact", index)["rows_dropped"] == 1
    out = run("purge", index)
    assert (out["rows_removed"], len(out["proofs"])) == (1, 1)
    assert (index / out["proofs"][0]).is_file()
    assert state(Store.open(index)) == before
    (index / ".tmp-x").touch()
    assert run("verify", index, "--repair")["repaired"] == [".tmp-x: removed, no commit refers to it"]
    (index / ".tmp-x").touch()
    (index / "notes.txt").touch()
    assert run("verify", index, "--repair", code=3)["ok"] is False
    assert run("verify", index, "--repair", code=2)["repaired"] == []
    assert "repaired" not in run("verify", index, code=2)


def test_copies(run: Any, index: Path, tmp_path: Path) -> None:
    before = state(Store.open(index))
    run("snapshot", tmp_path / "s", "--index", index)
    run("export", tmp_path / "e", "--index", index)
    assert run("restore", tmp_path / "s", "--out", tmp_path / "r")["rows"] == 8
    assert run("import", tmp_path / "e", "--out", tmp_path / "i")["rows"] == 8
    assert state(Store.open(tmp_path / "r")) == state(Store.open(tmp_path / "i")) == before
    assert "an index" in run("restore", tmp_path / "s", "--out", index, code=2)["error"]
    assert "an index" in run("import", tmp_path / "e", "--out", index, code=2)["error"]
    assert state(Store.open(index)) == before


def test_info_on_request(run: Any, index: Path) -> None:
    store = Store.open(index)
    plain = run("info", index)
    assert plain == {**store.info(), "auto_captions": {}}
    told = run("info", index, "--digest", "--near-duplicates")
    assert told.pop("digest") == store.digest()
    found, same_bytes = store.near_duplicates("face", 0.99)
    alike = told.pop("near_duplicates")
    assert (alike["count"], alike["same_bytes"], len(alike["rows"])) == (len(found), same_bytes, len(found))
    assert told == plain


def test_purge_names_the_cases_that_need_what_was_deleted(
    run: Any, index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.open(index)
    holds.place(index, store.manifest, case="c0ffee", search="S0001", rows=[0, 3])
    run("delete", "--row", 3, "--index", index)
    (told,) = run("compact", index)["held_by"]
    assert (told["case"], told["candidates"]) == ("c0ffee", [3])
    kept = run("purge", index, "--audit", tmp_path / "log", code=3)
    assert (kept["rows_kept"], kept["held_by"][0]["case"], kept["gone_over"]) == (2, "c0ffee", [])
    monkeypatch.setattr(sys, "argv", ["tgfr-search", "purge", str(index)])
    with pytest.raises(SystemExit):
        cli.main()
    out = capsys.readouterr().out
    assert "case c0ffee, search S0001, needs what was replaced; deleted rows in it: 2, of its candidates 3\n" in out
    assert "who does: c0ffee" in run("purge", index, "--over-case", "other", code=2)["error"]
    gone = run("purge", index, "--over-case", "c0ffee", "--audit", tmp_path / "log")
    assert (gone["rows_kept"], gone["rows_removed"], gone["gone_over"][0]["case"]) == (0, 2, "c0ffee")
    done = [e["details"] for _, e in read_entries(tmp_path / "log") if e.get("details", {}).get("phase") == "done"]
    assert [(each.get("held_by"), each.get("gone_over")) for each in done] == [(["c0ffee"], None), (None, ["c0ffee"])]
