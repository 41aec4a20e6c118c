"""An export that comes in: whole, or refused with nothing left behind."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.casework.case.case import Case
from pipelines.casework.exchange.export import export
from pipelines.casework.exchange.receive import receive_export
from tgfr_search.app.cli.main import app
from tgfr_search.errors import InputError

Members = dict[str, bytes]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    case = Case.new(folder / "case", purpose="p", basis="b", actor="examiner-1")
    (folder / "x.jpg").write_bytes(b"a photo")
    case.add(folder / "x.jpg", actor="examiner-1")
    case.note("seen", actor="examiner-1")
    export(case, folder / "case.zip", actor="examiner-1")
    return folder / "case.zip"


def changed(exported: Path, target: Path, change: Callable[[Members], object], **options: int) -> Path:
    with zipfile.ZipFile(exported) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(target, "w", **options) as archive:  # type: ignore[arg-type]
        for name, data in members.items():
            archive.writestr(name, data)
    return target


def test_what_is_whole_comes_in(exported: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["case", "import", str(exported), str(tmp_path / "in"), "--json"])
    assert done.exception is None
    told = json.loads(done.stdout)
    assert (told["whole"], told["files"]) == (True, len(zipfile.ZipFile(exported).namelist()))
    assert (tmp_path / "in/data/evidence/E0001.jpg").read_bytes() == b"a photo"
    assert CliRunner().invoke(app, ["audit", "verify", str(tmp_path / "in")]).exit_code == 0
    with pytest.raises(InputError, match="name another"):
        receive_export(exported, tmp_path / "in")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda m: m.update({"verify.py": m["verify.py"].replace(b"return 1", b"return 0") + b"\n"}), "verify.py"),
        (lambda m: m.pop("verify.py"), "verify.py"),
        (lambda m: m.update({"data/evidence/E0001.jpg": b"another"}), "E0001"),
        (lambda m: m.pop("data/notes/N0001.txt"), "N0001"),
        (lambda m: m.update({"data/notes/N0009.txt": b"never logged"}), "N0009"),
        (lambda m: m.update({"../outside.txt": b"x"}), "outside"),
        (lambda m: m.update({"/tmp/outside.txt": b"x"}), "outside"),
        (lambda m: m.update({"C:\\outside.txt": b"x"}), "outside"),
    ],
)
def test_what_is_not_leaves_nothing(
    change: Callable[[Members], object], told: str, exported: Path, tmp_path: Path
) -> None:
    file = changed(exported, tmp_path / "bad.zip", change)
    with pytest.raises(InputError, match=told):
        receive_export(file, tmp_path / "in")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.zip"]


def test_what_is_no_export(exported: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.zip"
    cut.write_bytes(exported.read_bytes()[:-200])
    packed = changed(exported, tmp_path / "packed.zip", lambda _: None, compression=zipfile.ZIP_DEFLATED)
    for file in (cut, packed, tmp_path / "none.zip"):
        with pytest.raises(InputError, match="case export"):
            receive_export(file, tmp_path / "in")
    assert not (tmp_path / "in").exists()
