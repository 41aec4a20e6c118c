"""Around this package: other modules of the names it uses, and libraries that are not there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tgfr_search.installed import EXTRAS, HOME, check_own_packages, explain_import

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
WITHOUT = """
import sys
missing = sys.argv.pop(1)
class Without:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Without())
"""
"""A library that is not installed, as Python tells it."""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A child whose own folder comes first on the path, as with any script."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", ["indexer", "pipelines"])
@pytest.mark.parametrize("kind", ["file", "package", "imported before"])
def test_a_module_of_the_users_own_is_named(tmp_path: Path, name: str, kind: str) -> None:
    place = tmp_path / (f"{name}.py" if kind != "package" else name)
    if kind == "package":
        place.mkdir()
    (place / "__init__.py" if kind == "package" else place).write_text("SHELVES = 7\n")
    before = f"import sys, {name}; sys.path.pop(0); " if kind == "imported before" else ""
    told = run(tmp_path, "-c", f"{before}from tgfr_search import Gallery")
    assert told.returncode == 1
    last = told.stderr.splitlines()[-1]
    assert f"another module is called `{name}`" in last, told.stderr
    assert f"found: {place}; expected: {ROOT / name}" in last
    if not before:
        command = run(tmp_path, "-m", "tgfr_search", "info", "index", "--json")
        assert command.returncode == 2
        assert command.stderr.startswith(f"error: another module is called `{name}`")
        assert "Traceback" not in command.stderr
        assert str(place) in json.loads(command.stdout)["error"]


def test_a_plain_folder_of_the_same_name_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "pipelines").mkdir()
    assert run(tmp_path, "-c", "from tgfr_search.installed import *; check_own_packages()").returncode == 0
    check_own_packages()


def test_a_package_whose_folder_is_gone_is_told(tmp_path: Path) -> None:
    (tmp_path / "tgfr_search").symlink_to(ROOT / "tgfr_search")
    code = "import tgfr_search.installed as i, sys; sys.meta_path.pop(); i.find_spec = lambda name: None; "
    told = run(tmp_path, "-c", code + "i.check_own_packages()")
    assert "none beside" in told.stderr.splitlines()[-1]
    assert "--force-reinstall" in told.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("missing", "arguments", "says"),
    [
        ("torch", ["index", "gallery"], "`torch`; found: not installed"),
        ("cv2", ["demo", "d"], "pip install --upgrade opencv-python-headless"),
        ("pyarrow", ["info", "index"], "pip install --upgrade pyarrow"),
        ("typer", ["--version"], "pip install --upgrade typer"),
    ],
)
def test_a_command_without_a_library_is_a_line_not_a_traceback(
    tmp_path: Path, missing: str, arguments: list[str], says: str
) -> None:
    code = f"{WITHOUT}\nsys.argv[0] = 'tgfr-search'\nfrom tgfr_search.__main__ import main\nmain()"
    told = run(tmp_path, "-c", code, missing, *arguments)
    assert told.returncode == 2
    assert told.stderr.startswith(f"error: the Python package `{missing}`")
    assert says in told.stderr
    assert len(told.stderr.splitlines()) == 1


def test_from_python_the_error_names_the_library_too(tmp_path: Path) -> None:
    told = run(tmp_path, "-c", f"{WITHOUT}\nfrom tgfr_search import Gallery", "torch")
    last = told.stderr.splitlines()[-1]
    assert last.startswith("tgfr_search.errors.MissingPartError: the Python package `torch`"), told.stderr


@pytest.mark.parametrize(("module", "extra"), EXTRAS.items())
def test_each_extra_is_named_and_is_one_of_the_packages(module: str, extra: str) -> None:
    import tomllib

    told = str(explain_import(ModuleNotFoundError(f"No module named '{module}.sub'", name=f"{module}.sub")))
    assert f"pip install 'tgfr-search[{extra}]'" in told
    assert extra in tomllib.loads((HOME / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def test_a_library_that_cannot_be_loaded_says_why() -> None:
    error = ImportError("libGL.so.1: cannot open shared object file", name="cv2")
    assert "found: it cannot be loaded (libGL.so.1: cannot open shared object file)" in str(explain_import(error))
