"""What is written: checked before, never over somebody's file, whole or not at all."""

import os
from pathlib import Path

import pytest

from tgfr_search.errors import InputError
from tgfr_search.outputs import GENERATOR, WriteError, check_file, check_folder, write_whole


def test_a_file_that_must_not_be_written_is_refused(tmp_path: Path) -> None:
    photo, other, ours = tmp_path / "probe.png", tmp_path / "letter.html", tmp_path / "sheet.html"
    photo.write_bytes(b"a photo")
    other.write_text("<p>a letter about tgfr-search</p>")
    ours.write_text(f"<!doctype html>{GENERATOR}")
    (tmp_path / "link.png").symlink_to(photo)
    os.link(photo, tmp_path / "hard.png")
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "index").mkdir()
    ends = (".html", ".png")
    for path, told in (
        (photo, "an input"),
        (tmp_path / "x/../probe.png", "an input"),
        (tmp_path / "link.png", "an input"),
        (tmp_path / "hard.png", "an input"),
        (other, "--force"),
        (tmp_path / "folder.html", "a folder"),
        (tmp_path / "sheet.pdf", r"\.html or \.png"),
        (tmp_path / "letter.html/sheet.html", "which is a file"),
        (tmp_path / "index/sheet.html", "outside"),
    ):
        with pytest.raises(InputError, match=told):
            check_file(path, endings=ends, inputs=[photo], outside=[tmp_path / "index"])
    with pytest.raises(InputError, match="an input"):  # not even by force
        check_file(photo, endings=ends, inputs=[photo], force=True)
    check_file(ours, endings=ends, inputs=[photo])
    check_file(other, endings=ends, force=True)
    check_file(tmp_path / "new/deep/SHEET.HTML", endings=ends)
    assert photo.read_bytes() == b"a photo"


def test_a_folder_that_must_not_be_written_is_refused(tmp_path: Path) -> None:
    probes, mine, earlier = tmp_path / "probes", tmp_path / "mine", tmp_path / "earlier"
    for folder, name in ((probes, "a.jpg"), (mine, "thesis.tex"), (earlier, "report.json")):
        folder.mkdir()
        (folder / name).write_text("x")
    for path in (probes, mine, mine / "thesis.tex", mine / "thesis.tex/out", probes / "a.jpg"):
        with pytest.raises(InputError):
            check_folder(path, inputs=[probes], known_by=["report.json"])
    for path in (earlier, tmp_path / "new", tmp_path / "new/deep"):
        check_folder(path, inputs=[probes], known_by=["report.json"])


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    page = tmp_path / "deep/page.html"
    write_whole(page, b"one")
    write_whole(page, b"two")
    assert page.read_bytes() == b"two"
    assert [path.name for path in page.parent.iterdir()] == ["page.html"]
    with pytest.raises(WriteError, match="page"):
        write_whole(page / "below.html", b"three")
    (tmp_path / "is-a-folder").mkdir()
    (tmp_path / "is-a-folder/x").write_text("x")
    with pytest.raises(WriteError):
        write_whole(tmp_path / "is-a-folder", b"four")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "is-a-folder"]
