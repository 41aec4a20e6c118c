"""An option that would do nothing is an error; plain output shows no Python value as Python writes it."""

import inspect
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tgfr_search.app.cli import console
from tgfr_search.app.cli.effects import IDLE, Checked
from tgfr_search.app.cli.main import app
from tgfr_search.errors import InputError


def refused(*words: str) -> str:
    error = CliRunner().invoke(app, list(words)).exception
    assert isinstance(error, InputError), error
    return str(error)


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("benchmark", "lfw", "--out", "o", "--pairs", "p.txt", "--levels", "bad"), "--levels"),
        (("benchmark", "lfw", "--out", "o", "--pairs", "p.txt", "--gallery", "g"), "--gallery"),
        (("benchmark", "lfw", "--out", "o", "--pairs", "p.txt", "--captions-file", "c"), "--captions-file"),
        (("benchmark", "lfw", "--out", "o", "--pairs", "p.txt", "--no-enrolment"), "--enrolment"),
        (("benchmark", "lfw", "--out", "o", "--pairs", "p.txt", "--seed", "0"), "--seed"),
        (("benchmark", "lfw", "--out", "o", "--encoder", "sface-2021"), "--encoder"),
        (("index", "g", "--aligned", "--min-eyes", "5"), "--min-eyes"),
        (("degrade", "a", "b", "--level", "bad", "--aligned", "--on-multiple", "error"), "--on-multiple"),
        (("compare", "a", "b", "--aligned", "--min-eyes", "5"), "--min-eyes"),
        (("query", "--caption", "a hat", "--aligned"), "--aligned"),
        (("query", "a.jpg", "--milvus-collection", "c"), "--milvus-collection"),
        (("query", "a.jpg", "--backend", "flat", "--milvus-uri", "x.db"), "--milvus-uri"),
        (("query", "a.jpg", "--force"), "--force"),
        (("case", "search", "c", "--caption", "a hat", "--on-multiple", "error"), "--on-multiple"),
        (("case", "search", "c", "a.jpg", "--origin", "witness"), "--origin"),
        (("train", "--config", "c.toml", "--dry-run", "--out", "o"), "--out"),
    ],
)
def test_an_option_without_effect_is_refused_before_any_work(
    words: tuple[str, ...], option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = refused(*words)
    assert told.startswith(option)
    assert "no effect" in told
    assert not list(tmp_path.iterdir())


def test_defaults_and_variables_of_the_environment_are_no_wish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TGFR_MILVUS_URI", "http://127.0.0.1:1")
    error = CliRunner().invoke(app, ["query", "a.jpg"]).exception
    assert "no effect" not in str(error)


def commands(of: typer.Typer) -> list[set[str]]:
    own = [set(inspect.signature(each.callback).parameters) for each in of.registered_commands if each.callback]
    return own + [each for group in of.registered_groups for each in commands(group.typer_instance)]  # type: ignore[arg-type]


def test_every_case_is_one_of_a_command_that_has_its_options() -> None:
    for idle in IDLE:
        of = [own for own in commands(app) if own >= set(idle.of)]
        assert of, idle
        for name in idle.options:
            assert any(name in own for own in of), name
    assert {each.cls for each in app.registered_commands} == {Checked}


def test_pairs_by_a_command_of_its_own_lists_the_data_sets_pairs(tmp_path: Path) -> None:
    (tmp_path / "lfw").mkdir()
    out = str(tmp_path / "out")
    with pytest.raises(InputError, match=r"pairs\.txt"):
        CliRunner().invoke(app, ["benchmark-pairs", str(tmp_path / "lfw"), "--out", out], catch_exceptions=False)


def test_plain_values_are_words(capsys: pytest.CaptureFixture[str]) -> None:
    values = {
        "none": [], "nothing": None, "yes": True, "path": Path("a/b"), "names": ["a", "b"],
        "pairs": [("a", 1), ("b", 2)],
        "rows": [{"row": 1, "images": ["x.jpg", "y.jpg"]}, {"row": 2, "images": []}],
        "deep": {"of": {"list": [{"a": {"b": [None, False]}}]}, "empty": {}}, "set": frozenset({"z"}),
    }  # fmt: skip
    console.pairs(values)
    told = capsys.readouterr().out
    assert not set("[]{}()'\"") & set(told), told
    assert "None" not in told
    assert "True" not in told
    assert "row 1, images x.jpg, y.jpg" in told


def test_a_tables_values_are_words(capsys: pytest.CaptureFixture[str]) -> None:
    console.table("", ["a", "b", "c"], [[None, ["x", "y"], {"n": (1, None)}], ["None", 1.5, False]])
    assert capsys.readouterr().out.splitlines() == ["a\tb\tc", "–\tx, y\tn 1, –", "None\t1.5\tno"]
