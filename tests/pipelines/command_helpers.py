"""A command run in the process of the tests, as its entry point runs it: what it prints and its exit code.

A process of its own costs ten seconds of loading before a model answers, so only what is about processes gets one.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

import pytest

from tgfr_search.app.cli.main import main


class Done(NamedTuple):
    code: int
    stdout: str
    stderr: str


def run_here(capsys: pytest.CaptureFixture[str], *arguments: object) -> Done:
    """Runs the command line `tgfr-search ARGUMENTS` here; a traceback is an exception of this function."""
    capsys.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["tgfr-search", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
    assert isinstance(ended.value.code, int)
    return Done(ended.value.code, *capsys.readouterr())
