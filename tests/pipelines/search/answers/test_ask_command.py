"""The command `ask` and `--witness` of `query`, as typed."""

import json
from pathlib import Path

from typer.testing import CliRunner

from pipelines.enrol.index import IndexSummary
from tgfr_search.app.cli.main import app
from tgfr_search.errors import InputError


def test_ask_says_questions_the_most_telling_first(enrolled: tuple[Path, IndexSummary]) -> None:
    words = ["ask", "--index", str(enrolled[0]), "--caption", "a woman with no glasses", "--count", "3", "--json"]
    answer = CliRunner().invoke(app, words)
    assert answer.exit_code == 0, answer.output
    told = json.loads(answer.stdout)
    bits = [own["bits"] for own in told["questions"]]
    assert len(bits) == 3
    assert bits == sorted(bits, reverse=True)
    assert bits[0] > 0
    assert {own["attribute"] for own in told["questions"]}.isdisjoint({"male", "eyeglasses", "smiling"})
    assert (told["mode"], told["first"]) == ("caption", 12)


def test_witnesses_as_typed(enrolled: tuple[Path, IndexSummary], demo: Path) -> None:
    photo, index = str(sorted(demo.glob("probes-degraded/*"))[0]), str(enrolled[0])
    words = ["query", photo, "--index", index, "--witness", "a man\nwith a beard", "--reliability", "0.6",
             "--witness", "a woman", "--reliability", "0.3", "--json"]  # fmt: skip
    answer = CliRunner().invoke(app, words)
    assert answer.exit_code == 0, answer.output
    told = json.loads(answer.stdout)["description"]
    assert [(len(own["lines"]), own["reliability"]) for own in told["witnesses"]] == [(2, 0.6), (1, 0.3)]
    assert {own["line"] for own in told["statements"]} == {0, 1, 2}
    for wrong in (["--reliability", "1.5"], ["--reliability", "0.5", "--caption", "a man"]):
        refused = CliRunner().invoke(app, ["query", photo, "--index", index, "--witness", "a man", *wrong])
        assert isinstance(refused.exception, InputError)
