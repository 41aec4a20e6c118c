"""The demo's case: through the flows that people use, whole for a stranger, and honest about who decided."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pipelines.casework.case.case import Case
from pipelines.casework.report.overview import overview
from pipelines.tools.demo_case import CANDIDATES, NOTE, write_demo_case
from tgfr_search.errors import InputError
from tgfr_search.model.loaded import FaceTextModel


def test_a_case_from_the_search_to_the_report(demo: Path, index: Path, model: FaceTextModel, tmp_path: Path) -> None:
    made = write_demo_case(demo, index, tmp_path / "case", tmp_path, model=model)
    told = overview(Case.open(made.case))
    assert [each["step"] for each in told["searches"]] == ["released"]
    assert told["searches"][0]["candidates"] == CANDIDATES
    assert [note["text"] for note in told["notes"]] == [NOTE]
    pages = {path.suffix: path.read_bytes() for path in made.reports}
    assert pages[".pdf"].startswith(b"%PDF-")
    assert b"examiner-2" in pages[".html"]
    assert b"do not exist" in pages[".html"]
    hits = Case.open(made.case).read_search(told["searches"][0]["name"])["result"]["candidates"]
    assert {hit["lr"]["refused"] for hit in hits} == {"population_mismatch"}
    with zipfile.ZipFile(made.exported) as archive:
        archive.extractall(tmp_path / "bag")
    run = subprocess.run([sys.executable, "-I", "-S", "verify.py", "."], cwd=tmp_path / "bag", check=False)
    assert run.returncode == 0
    with pytest.raises(InputError, match="something"):
        write_demo_case(demo, index, tmp_path / "case", tmp_path, model=model)
    with pytest.raises(InputError, match=r"probes\.csv"):
        write_demo_case(tmp_path, index, tmp_path / "other", tmp_path, model=model)
