"""The command line as a user runs it: exit codes, JSON, defaults; as processes where that is what is tested."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_helpers import run_here

from pipelines.enrol.index import IndexSummary
from tgfr_search.types import LEAD_NOTICE

CLI = [sys.executable, "-m", "tgfr_search"]
Run = Callable[..., str]


def run_process(*arguments: object, cwd: Path, code: int = 0) -> str:
    """Runs a command and returns what it printed on standard output; the exit code must be `code`."""
    environment = {k: v for k, v in os.environ.items() if k != "TGFR_INDEX"}
    done = subprocess.run(
        [*CLI, *map(str, arguments)], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The same in this process, which has its libraries loaded."""

    def here(*arguments: object, cwd: Path, code: int = 0, **environment: str) -> str:
        monkeypatch.chdir(cwd)
        monkeypatch.delenv("TGFR_INDEX", raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        done = run_here(capsys, *arguments)
        assert done.code == code, f"exit {done.code}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return here


def test_the_two_commands_as_they_stand(demo: Path, tmp_path: Path, run: Run) -> None:
    """`tgfr-search index gallery/` and `tgfr-search query probe.jpg --caption "..."` without any option."""
    people = ["person0000", "person0001", "person0002"]
    for person in people:
        shutil.copytree(demo / "gallery" / person, tmp_path / "gallery" / person)
    shutil.copy(demo / "probes/person0001.png", tmp_path / "probe.jpg")  # told by content, not by name
    out = json.loads(run_process("index", "gallery/", "--json", cwd=tmp_path))
    assert out["rows"] == 6
    assert (tmp_path / "tgfr-index").is_dir()
    answer = json.loads(run_process("query", "probe.jpg", "--caption", "a person who smiles", "--json", cwd=tmp_path))
    assert answer["candidates"][0]["subject_id"] == "person0001"
    hit = {"rank", "subject_id", "row_id", "score", "blocks", "image", "caption", "auto_caption", "lr"}
    assert set(answer["candidates"][0]) == hit | {"expected_strangers", "typicality", "attributes", "statements"}
    assert answer["candidates"][0]["lr"]["refused"] is None
    assert "H2: " in answer["calibration"]["propositions"][1]
    assert {"sha256", "quality", "faces"} <= set(answer["probe"])
    assert set(answer["timing_ms"]) == {"load", "detect", "encode", "search"}
    assert answer["notice"] == LEAD_NOTICE
    table = run("query", "probe.jpg", cwd=tmp_path).splitlines()
    assert table[0].split("\t")[:3] == ["rank", "subject", "score"]
    assert table[1].split("\t")[1] == "person0001"


def test_partial_success_exits_3(demo: Path, tmp_path: Path, run: Run) -> None:
    shutil.copytree(demo / "gallery/person0000", tmp_path / "gallery/person0000")
    (tmp_path / "gallery/person0000/bad.jpg").write_text("no picture")
    out = json.loads(run("index", "gallery", "--out", "ix", "--json", cwd=tmp_path, code=3))
    assert out["quarantined"] == {"unsupported_format": 1}


def test_nothing_usable_exits_1(tmp_path: Path, run: Run) -> None:
    (tmp_path / "empty").mkdir()
    run("index", "empty", "--out", "ix", cwd=tmp_path, code=1)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/x.jpg").write_text("no picture")
    run("index", "bad", "--out", "ix2", cwd=tmp_path, code=1)


def test_bad_input_exits_2_and_says_what_to_do(tmp_path: Path, run: Run) -> None:
    assert "error" in json.loads(run("info", "nowhere", "--json", cwd=tmp_path, code=2))
    run("index", "nowhere", cwd=tmp_path, code=2)
    run("query", "--index", "nowhere", "--caption", "x", cwd=tmp_path, code=2)
    run("no-such-command", cwd=tmp_path, code=2)


def test_info_and_verify(index: Path, enrolled: tuple[Path, IndexSummary], run: Run) -> None:
    values = json.loads(run("info", index, "--json", cwd=index.parent))
    assert values["rows"] == enrolled[1].rows
    assert values["fields"]["model"] == enrolled[1].model_id
    assert "whole" in run("verify", cwd=index.parent, TGFR_INDEX=str(index))
    segment = max(index.glob("*.parquet"), key=lambda path: path.stat().st_size)
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(bytes(data))
    report = json.loads(run("verify", index, "--json", cwd=index.parent, code=2))
    assert not report["ok"]
    assert segment.name in " ".join(report["problems"])


def test_demo_doctor_and_model(tmp_path: Path, run: Run) -> None:
    out = json.loads(run("demo", "people", "--people", 2, "--views", 2, "--json", cwd=tmp_path))
    assert out["people"] == 2
    assert len(list((tmp_path / "people/gallery").rglob("*.png"))) == 2
    report = json.loads(run("doctor", "--json", cwd=tmp_path))
    assert report["ok"]
    assert len(report["found"]["weights"]["face net"]["sha256"]) == 64
    assert report["found"]["faiss"]["kind"] == "cpu"
    models = json.loads(run_process("model", "list", "--json", cwd=tmp_path))["models"]
    assert [m["name"] for m in models if m["note"] == "default"] == ["tgfr-minilm-sface"]
    info = json.loads(run("model", "info", "--json", cwd=tmp_path))
    assert info["provenance"]["data_sha256"]
    assert "non-commercial" in run("model", "info", cwd=tmp_path)


def test_version_and_help_say_what_scores_are(tmp_path: Path, run: Run) -> None:
    import tgfr_search

    assert run("--version", cwd=tmp_path).strip() == tgfr_search.__version__
    assert "not probabilities" in " ".join(run("--help", cwd=tmp_path).split())


def test_no_socket_is_opened(demo: Path, enrolled: tuple[Path, IndexSummary], tmp_path: Path) -> None:
    """A query with every network call turned into an error still answers."""
    code = (
        "import socket, sys\n"
        "def refuse(*a, **k): raise AssertionError('a socket was opened')\n"
        "socket.socket.connect = refuse\nsocket.create_connection = refuse\nsocket.getaddrinfo = refuse\n"
        "from tgfr_search.app.cli.main import main\nmain()\n"
    )
    assert socket.socket is not None
    arguments = [
        "query",
        str(demo / "probes/person0000.png"),
        "--index",
        str(enrolled[0]),
        "--caption",
        "a man",
        "--json",
    ]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["candidates"]


def test_odd_names(demo: Path, tmp_path: Path, run: Run) -> None:
    names = ["-weird", "ünï cödé 人 photo", "a" * 200]
    for at, name in enumerate(names):
        shutil.copytree(demo / f"gallery/person{at:04d}", tmp_path / "gallery" / name)
    out = json.loads(run("index", "gallery", "--out", "ix", "--json", cwd=tmp_path))
    assert out["rows"] == 6
    for name in names:
        probe = tmp_path / "gallery" / name / "view0.png"
        answer = json.loads(run("query", "--index", "ix", "--json", "--", probe, cwd=tmp_path))
        assert answer["candidates"][0]["subject_id"] == name
