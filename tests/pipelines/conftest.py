"""A small gallery of people who do not exist, indexed once with the shipped model."""

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.enrol.index import IndexSummary, index_gallery
from pipelines.tools.demo import write_demo
from tests.models import FAST_MODEL
from tgfr_search.model.checkpoint import load_model
from tgfr_search.model.loaded import FaceTextModel

PEOPLE = 12


@pytest.fixture(scope="session")
def model() -> FaceTextModel:
    return load_model(FAST_MODEL, device="cpu")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "data"
    write_demo(folder, people=PEOPLE, views=3, seed=3)
    return folder


@pytest.fixture(scope="session")
def enrolled(
    demo: Path, model: FaceTextModel, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, IndexSummary]]:
    """The index that tests share to read; a search for a case writes (its hold), so that it takes `index`."""
    path = tmp_path_factory.mktemp("enrolled") / "index"
    summary = index_gallery(demo / "gallery", path, model, workers=0)
    before = names_in(path)
    yield path, summary
    assert names_in(path) == before, "a test has changed the index that all share: let it take the copy, `index`"


def names_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def index(enrolled: tuple[Path, IndexSummary], tmp_path: Path) -> Path:
    """A copy of the index that a test may change."""
    return Path(shutil.copytree(enrolled[0], tmp_path / "index"))


@pytest.fixture
def gallery_folder(demo: Path, tmp_path: Path) -> Path:
    """A copy of the first five people's gallery that a test may change, without captions."""
    folder = tmp_path / "gallery"
    for source in sorted((demo / "gallery").iterdir())[:6]:  # the captions and five folders
        if source.is_dir():
            shutil.copytree(source, folder / source.name)
    return folder


@pytest.fixture(scope="session")
def captions(demo: Path) -> dict[str, list[str]]:
    """Row name → its lines."""
    out: dict[str, list[str]] = {}
    with (demo / "gallery/captions.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            out.setdefault(row["image"], []).append(row["caption"])
    return out
