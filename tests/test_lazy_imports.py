"""What a command does not need is not loaded: seen from a fresh process, without a clock."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("arguments", [["--help"], ["index", "--help"], ["--version"], ["verify", "--help"]])
def test_help_loads_no_library_of_numbers(arguments: list[str]) -> None:
    code = """
import sys
from tgfr_search.app.cli.main import main
try:
    main()
except SystemExit:
    pass
print(sorted({"numpy", "pyarrow", "pandas", "torch", "faiss", "indexer", "pipelines"} & sys.modules.keys()))
"""
    command = [sys.executable, "-c", code, *arguments]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    assert result.stdout.splitlines()[-1] == "[]"
    assert len(result.stdout.splitlines()) > 1


def test_an_error_of_the_index_still_is_a_line_and_an_exit_code() -> None:
    command = [sys.executable, "-m", "tgfr_search", "info", "/nowhere/at/all"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr.startswith("error: /nowhere/at/all; found: nothing there")


def test_pandas_is_loaded_only_for_a_table() -> None:
    code = """
import sys
from tgfr_search.types import QueryResult
result = QueryResult((), {}, "image", {}, 0.0, "model", "index", {})
before = "pandas" in sys.modules
result.to_frame()
print(before, "pandas" in sys.modules)
"""
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert result.stdout.split() == ["False", "True"]
