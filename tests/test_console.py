"""What the command line prints is text: on a terminal, in a pipe, to a stream that fails."""

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tgfr_search.visible import cut_middle, cut_words, says_something, visible

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
HOSTILE = [
    "[bold]x[/bold]",
    "[/x/2024]",
    "[machine-made]",
    "evil\x1b[31m\x1b]0;title\x07",
    "\u202egpj.exe",
    "a\nb\tc\rd",
    "\x9b2J",
    "zero\u200bwidth",
    "田中太郎",
    "محمد",
    "\udcff.jpg",
    ":smile:",
]
ACTS = "\x1b\x07\r\x9b\u202e\u200b\u2028"
TABLE = """
import json, sys
from tgfr_search.app.cli import console
names = json.loads(sys.argv[1])
heads = ["rank", "score", "subject", "why", "image", "caption"]
rows = [[str(i + 1), f"-{i}.123", n, "face +1.00, looks -0.50", n + "/view0.png", "a man with black hair " * 5]
        for i, n in enumerate(names)]
console.table("search where " + names[0], heads, rows, key=2)
console.pairs({"near": [{"image": names[0], "score": 0.99}], "none": [], "some": {"a": None, "b": True}})
"""


def child(code: str, *arguments: str, **environment: str) -> tuple[list[str], dict[str, str]]:
    return [sys.executable, "-c", code, *arguments], {**os.environ, "PYTHONPATH": str(ROOT), **environment}


def terminal(columns: int, code: str, *arguments: str, **environment: str) -> str:
    """What a child writes to a terminal of that width."""
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    command, env = child(code, *arguments, **environment)
    env.pop("COLUMNS", None)
    with subprocess.Popen(command, env=env, stdout=side, stderr=subprocess.PIPE) as process:
        os.close(side)
        out = b""
        try:
            while part := os.read(main, 65536):
                out += part
        except OSError:  # the other side is closed
            pass
        os.close(main)
        assert process.stderr is not None
        told = process.stderr.read()
        assert process.wait() == 0, told.decode()
    return out.decode(environment.get("PYTHONIOENCODING", "utf-8")).replace("\r\n", "\n")


@pytest.mark.parametrize(
    ("columns", "encoding"),
    [(200, "utf-8"), (200, "ascii"), (80, "utf-8"), (80, "cp1252"), (40, "latin-1"), (20, "utf-8")],
)
def test_a_terminal_of_any_width_shows_everything(columns: int, encoding: str) -> None:
    out = terminal(columns, TABLE, json.dumps(HOSTILE), PYTHONIOENCODING=encoding)
    assert not set(out) & set(ACTS)
    for at in range(len(HOSTILE)):
        assert f"-{at}.123" in out  # the score, whole
    bare = "".join(out.split())
    if columns >= 200:
        for name in HOSTILE:
            wanted = visible(name).encode(encoding, "backslashreplace").decode(encoding)
            assert "".join(wanted.split()) in bare, name
    if columns == 80 and encoding == "utf-8":
        drawn = out.split("\n")[1:]
        assert max(cell_len(line) for line in drawn if not line.startswith(("near", "  image"))) <= columns


def test_a_pipe_gets_plain_lines_and_every_character() -> None:
    command, env = child(TABLE, json.dumps(HOSTILE), PYTHONIOENCODING="utf-8")
    done = subprocess.run(command, env=env, capture_output=True, check=True)
    lines = done.stdout.decode().split("\n")
    assert all(line.count("\t") == 5 for line in lines[: len(HOSTILE) + 1])
    assert [line.split("\t")[2] for line in lines[1 : len(HOSTILE) + 1]] == [visible(name) for name in HOSTILE]
    assert "  image [bold]x[/bold], score 0.99" in lines  # no Python repr
    assert "  b  yes" in lines


@given(st.text())
def test_visible_text_is_one_line_that_acts_on_nothing(text: str) -> None:
    shown = visible(text)
    assert len(shown.splitlines()) <= 1
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in shown)
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\ufeff")


def test_words_of_any_script_stay_and_look_alikes_differ() -> None:
    for text in ("Jürgen Müller", "田中太郎", "محمد", "می‌خواهم", "👩‍🔬", "C:\\new\\table"):
        assert visible(text) == text
    assert visible("ab") != visible("a\u200bb") != visible("a\u200db")
    assert cut_middle("a" * 30 + "1", 20) != cut_middle("a" * 30 + "2", 20)
    assert len(cut_middle("x" * 99, 20)) == 20
    assert cut_words("a man with black hair", 14) == "a man with…"
    assert not any(map(says_something, ["", " ", "\u200b\u2060", "\u3164", "\u2800", "…!?", "\x00"]))
    assert all(map(says_something, ["x", "眼鏡", "7"]))


JSON = """
import sys
from tgfr_search.app.cli import console
console.emit({"name": "\\x9b2J\\u202e\\U0001f600\\u7530\\xe9\\udcff"}, True, print)
"""


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
def test_json_is_valid_and_inert_in_every_encoding(encoding: str) -> None:
    code = "from tgfr_search.app.cli.console_streams import run\ndef go():\n exec(CODE); return 0\nrun(go)"
    command, env = child(f"CODE = {JSON!r}\n{code}", PYTHONIOENCODING=encoding)
    out = subprocess.run(command, env=env, capture_output=True, check=True).stdout.decode(encoding)
    assert not set(out) & set(ACTS)
    assert json.loads(out)["name"].startswith("\x9b2J\u202e\U0001f600\u7530\xe9")


def cli(*arguments: str, redirect: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    line = f'"{sys.executable}" -m tgfr_search "$@" {redirect}'
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(["bash", "-c", line, "x", *arguments], env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("redirect", [">/dev/full", ">&-"])
@pytest.mark.parametrize("command", [("--help",), ("model", "list", "--json")])
def test_output_that_cannot_be_written_is_told(command: tuple[str, ...], redirect: str) -> None:
    done = cli(*command, redirect=redirect)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert "standard output" in done.stderr or "No space left" in done.stderr


def test_streams_that_nobody_reads_are_no_error() -> None:
    assert cli("model", "list", "--json", redirect="2>&-").returncode == 0
    assert cli("--nonsense", redirect="2>/dev/full").returncode == 2
    done = cli("model", "info", redirect='| head -c 1; exit "${PIPESTATUS[0]}"')
    assert done.stderr == ""
    assert done.returncode in (0, 141)


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_help_and_lists_in_other_encodings(encoding: str) -> None:
    for command in (("--help",), ("model", "list")):
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding}
        done = subprocess.run(
            [sys.executable, "-m", "tgfr_search", *command], env=env, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.decode(encoding)


def test_wrong_use_is_one_line_that_escapes_what_was_typed() -> None:
    done = cli("query", "--caption", "x", "--nonsense-\x1b[31m[bold]")
    assert done.returncode == 2
    assert "\x1b" not in done.stderr
    assert "[bold]" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "query --help" in done.stderr


def test_interrupted_is_one_line() -> None:
    code = (
        "import signal, sys, time\nfrom tgfr_search.app.cli import main as cli\n"
        # a shell that runs these tests in the background has told it to ignore the signal
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "@cli.app.command('wait')\ndef wait():\n print('ready', flush=True); time.sleep(60)\n"
        "sys.argv = ['tgfr-search', 'wait']\ncli.main()"
    )
    command, env = child(code)
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        told = process.stderr.read()
        assert process.wait() == 130
    assert told.startswith("interrupted")
    assert told.count("\n") == 1


def test_nothing_prints_by_another_door() -> None:
    for folder in ("tgfr_search", "pipelines", "indexer"):
        for path in set((ROOT / folder).rglob("*.py")) - {ROOT / "tgfr_search/__main__.py"}:  # before anything is there
            if path.is_relative_to(ROOT / "pipelines/tools"):  # run by who keeps the weights, on names of its own
                continue
            text = path.read_text(encoding="utf-8")
            assert "typer.echo(" not in text, path
            assert "typer.secho(" not in text, path
            assert not any(line.lstrip().startswith("print(") for line in text.splitlines()), path
