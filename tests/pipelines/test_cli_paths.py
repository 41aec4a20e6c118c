"""Paths on the command line: empty ones, the home directory, names that begin with a dash."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tgfr_search.app.cli import main as cli


def told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    """What a command that is refused says, on one line."""
    monkeypatch.setattr(sys, "argv", ["tgfr-search", *arguments])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    return " ".join(capsys.readouterr().err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("index", ""), "GALLERY"),
        (("index", "there", "--out", ""), "--out"),
        (("index", "there", "--captions", " "), "--captions"),
        (("query", ""), "PROBE"),
        (("query", "there", "--index="), "--index"),
        (("query", "there", "--sheet", ""), "--sheet"),
        (("purge", ""), "INDEX"),
        (("restore", ""), "SNAPSHOT"),
        (("export", ""), "TARGET"),
        (("degrade", "there", ""), "OUT"),
        (("benchmark", "there", "--out", ""), "--out"),
        (("train", "--config", ""), "--config"),
        (("data", "inspect", ""), "PATH"),
    ],
)
def test_an_empty_path_is_never_the_working_directory(
    capsys: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: tuple[str, ...], name: str
) -> None:
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)
    message = told(capsys, monkeypatch, *arguments)
    assert f"error: {name}; found: an empty path" in message
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_tilde_is_the_home_directory(capsys: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert f"error: {tmp_path}/home/ix; found: nothing there" in told(capsys, monkeypatch, "info", "~/ix")
    assert f"error: {tmp_path}/home/ix; found: nothing there" in told(
        capsys, monkeypatch, "delete", "--row", "1", "--index=~/ix"
    )
    monkeypatch.setenv("TGFR_INDEX", "~/ix")
    assert f"error: {tmp_path}/home/ix; found: nothing there" in told(capsys, monkeypatch, "info")
    (tmp_path / "~/ix").mkdir(parents=True)  # somebody has it by that very name
    assert "error: ~/ix; found: a directory without" in told(capsys, monkeypatch, "info")


def test_a_name_that_begins_with_a_dash(capsys: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "-probe.jpg").touch()
    monkeypatch.chdir(tmp_path)
    assert "No such option: -p; for the file -probe.jpg write ./-probe.jpg" in told(
        capsys, monkeypatch, "query", "-probe.jpg"
    )
    assert "./" not in told(capsys, monkeypatch, "query", "-other.jpg")
