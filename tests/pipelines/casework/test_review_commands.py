"""`case open` and `case decide`: the blind review on the command line, by two people, in order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_reviews import answer
from typer.testing import CliRunner

from pipelines.casework.case import Case
from pipelines.casework.review import ReviewError
from tgfr_search.app.cli.main import app
from tgfr_search.errors import InputError


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
