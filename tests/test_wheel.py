"""What is installed is the wheel, not this folder: its contents, and a search with it from somewhere else."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path
from shutil import copy2, copytree, ignore_patterns

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("tgfr_search", "indexer", "pipelines")
USE = """
import sys
from pathlib import Path
import tgfr_search
from tgfr_search import Gallery
assert Path(tgfr_search.__file__).is_relative_to(sys.argv[1]), tgfr_search.__file__
from pipelines.tools.demo import write_demo
write_demo(Path("people"), people=2, views=2)
gallery, summary = Gallery.build("people/gallery", "index", workers=0)
probe = next(Path("people").glob("probes/*.png"))
result = Gallery.open("index").query(probe, caption="a woman with black hair")
print(summary.rows, *result.to_frame()["subject_id"])
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy without git: setuptools leaves a `build/` behind, whose stale files would enter the next."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in FOLDERS:
        copytree(ROOT / name, source / name, ignore=ignore_patterns("__pycache__"))
    for name in ("tests", "benchmarks", "configs"):
        (source / name).mkdir()
        (source / name / "left_out.py").touch()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        copy2(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-index", "--no-deps"]
    stored = "--config-settings=--build-option=--compression=stored"  # the weights do not get smaller
    subprocess.run([*pip, "--no-build-isolation", stored, "--wheel-dir", str(out), str(source)], check=True)
    (built,) = out.iterdir()
    return built


def test_it_holds_the_three_packages_whole_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        meta = next(name for name in names if name.endswith("/METADATA"))
        message = Parser().parsestr(archive.read(meta).decode())
    info = meta.split("/")[0]
    wanted = {
        path.relative_to(ROOT).as_posix()
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if not name.startswith(f"{info}/")} == wanted
    assert {f"{folder}/py.typed" for folder in FOLDERS} <= names
    assert any(name.endswith("/model.safetensors") for name in names)
    assert f"{info}/licenses/LICENSE" in names
    for network in ("retinaface", "sface"):  # others' work: their notices must go with every copy
        assert f"{info}/licenses/tgfr_search/weights/{network}/LICENSE" in names
    extras = {"cpu", "gpu", "train", "onnx", "heic", "ray", "milvus", "serve", "report", "docs", "dev"}
    assert set(message.get_all("Provides-Extra", [])) == extras
    assert message["License-Expression"] == "Apache-2.0"


def test_it_works_from_another_folder_without_a_home_and_writes_nothing_into_itself(
    wheel: Path, tmp_path: Path
) -> None:
    site, work = tmp_path / "site", tmp_path / "work"
    work.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    before = {path: path.stat().st_mtime_ns for path in site.rglob("*")}
    for path in before:
        path.chmod(0o555 if path.is_dir() else 0o444)
    environment = {name: os.environ[name] for name in ("PATH", "OPENBLAS_CORETYPE") if name in os.environ}
    # root may write where nobody may: what it must not do is seen from the folder afterwards
    environment |= {"PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}

    def run(*arguments: str) -> str:
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "Text-guided face search" in run("-m", "tgfr_search", "--help")
    rows, *subjects = run("-c", USE, str(site)).split()
    assert rows == "2"
    assert sorted(subjects) == ["person0000", "person0001"]
    assert {path: path.stat().st_mtime_ns for path in site.rglob("*")} == before
