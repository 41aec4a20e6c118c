"""An index for each file of tests: what a case searches, it holds, and its holds stay in the index."""

import shutil
from pathlib import Path

import pytest

from pipelines.enrol.index import IndexSummary


@pytest.fixture(scope="module")
def held(enrolled: tuple[Path, IndexSummary], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that the cases of one file may hold."""
    return Path(shutil.copytree(enrolled[0], tmp_path_factory.mktemp("held") / "index"))
