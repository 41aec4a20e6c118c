"""The tutorial's commands work as they are written, one after another, in an empty folder."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from tgfr_search.app.cli.main import main

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tutorial.md"


def commands() -> list[list[str]]:
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [shlex.split(line) for block in blocks for line in block.splitlines() if line.strip()]


@pytest.mark.slow
def test_every_command_of_the_tutorial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("TGFR_INDEX", "TGFR_AUDIT"):
        monkeypatch.delenv(name, raising=False)
    told = commands()
    assert len(told) > 15
    for command in told:
        assert command[0] == "tgfr-search"
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code, " ".join(command)
    assert (tmp_path / "candidates.html").is_file()
    assert (tmp_path / "copy" / "manifest.json").is_file()
