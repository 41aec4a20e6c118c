"""A gallery with two names of one person and a name with two people: both are told, and a person decides."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from indexer import Store
from pipelines.casework.labels.check import check_gallery
from pipelines.casework.labels.page import write_check
from pipelines.enrol.index import index_gallery
from tgfr_search.app.cli.main import main
from tgfr_search.data.same_person import DIFFERENT, SAME, UNDECIDED, Decision, read_decisions
from tgfr_search.errors import InputError
from tgfr_search.model.loaded import FaceTextModel


@pytest.fixture(scope="module")
def mixed(demo: Path, model: FaceTextModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """person0002 has a second name, `twice`; a picture of person0004 lies with those of person0003."""
    folder = tmp_path_factory.mktemp("mixed")
    people = sorted(path for path in (demo / "gallery").iterdir() if path.is_dir())
    for person in people:
        shutil.copytree(person, folder / "gallery" / person.name)
    twice = folder / "gallery" / "twice"
    twice.mkdir()
    photos = sorted((folder / "gallery" / "person0002").iterdir())
    shutil.copy(photos[0], twice / "same.png")
    stranger = sorted((folder / "gallery" / "person0004").iterdir())[0]
    shutil.move(stranger, folder / "gallery" / "person0003" / "moved.png")
    index_gallery(folder / "gallery", folder / "index", model, workers=0)
    return folder / "index"


def test_both_are_told_and_a_decision_is_not_told_again(mixed: Path, model: FaceTextModel, tmp_path: Path) -> None:
    store = Store.open(mixed)
    found = check_gallery(store, model, "dlib")
    first = found.one_person[0]
    assert set(first.subjects) == {"person0002", "twice"}
    assert first.one_photo
    pairs = [set(each.subjects) for each in found.one_person]
    assert {"person0003", "person0004"} in pairs
    (odd,) = [each for each in found.two_people if each.subjects[0] == "person0003"]
    assert store.rows([odd.rows[0]])[0].image.endswith("moved.png")
    assert odd.score < found.limit
    assert found.rows == len(store)
    assert all(each.score >= found.limit or each.one_photo for each in found.one_person)

    write_check(tmp_path / "check", store, found, ())
    page = (tmp_path / "check" / "check.html").read_text(encoding="utf-8")
    assert "the very same photo" in page
    assert page.count("data:image/jpeg") >= 4
    asked = read_decisions(tmp_path / "check" / "decisions.csv")
    assert {each.decision for each in asked} == {UNDECIDED}
    assert ("person0002", "twice") in {each.pair for each in asked}
    (photo,) = [each.photo for each in asked if each.pair == ("person0003", "person0003")]
    assert photo == store.rows([odd.rows[0]])[0].image

    decided = [Decision("twice", "person0002", SAME, "M. Example", "2026-01-01")]
    decided.append(Decision("person0003", "person0003", DIFFERENT, "M. Example", "2026-01-01", photo=photo))
    again = check_gallery(store, model, "dlib", decided=decided)
    assert odd.rows not in [each.rows for each in again.two_people]
    assert {"person0002", "twice"} not in [set(each.subjects) for each in again.one_person]
    write_check(tmp_path / "check", store, again, decided)
    assert decided[0] in read_decisions(tmp_path / "check" / "decisions.csv")


def test_a_clean_gallery_has_nobody_twice(index: Path, model: FaceTextModel) -> None:
    found = check_gallery(Store.open(index), model, "dlib")
    assert not any(each.one_photo for each in found.one_person)
    assert not found.two_people


def test_one_subject_is_nobody_to_confuse(mixed: Path, model: FaceTextModel, tmp_path: Path) -> None:
    path = Path(shutil.copytree(mixed, tmp_path / "one"))
    store = Store.open(path)
    with store.writer() as writer:
        keep = store.row_ids("person0001").tolist()
        writer.delete(row_ids=[row for row in store.row_ids().tolist() if row not in keep])
        writer.commit()
    with pytest.raises(InputError, match="1 subjects"):
        check_gallery(Store.open(path), model, "dlib")


def test_the_command(
    mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["tgfr-search", "gallery", "check", str(mixed), "--out", str(tmp_path / "check"), "--json"]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    tree = json.loads(capsys.readouterr().out)
    assert set(tree["one_person"][0]["subjects"]) == {"person0002", "twice"}
    assert Path(tree["page"]).is_file()
