from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import pytest

from pipelines.tools.demo import LINES, write_demo
from tgfr_search.data.records import read_records
from tgfr_search.data.synthetic import SyntheticFaces
from tgfr_search.errors import InputError


def digest(directory: Path) -> dict[str, str]:
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_demo_is_complete_and_can_be_read(tmp_path: Path) -> None:
    summary = write_demo(tmp_path / "demo", people=4, views=3)
    assert (summary.people, summary.gallery, summary.probes) == (4, 8, 4)
    problems: list[object] = []
    records = list(read_records(tmp_path / "demo" / "gallery", on_problem=problems.append))
    assert problems == []
    assert [record.name for record in records[:2]] == ["person0000/view0.png", "person0000/view1.png"]
    assert sum(len(record.captions) for record in records) == summary.captions
    assert all(1 <= len(record.captions) <= LINES for record in records)
    assert records[0].metadata["male"] in ("true", "false")
    probes = table(tmp_path / "demo" / "probes.csv")
    assert [row["quality"] for row in probes[:2]] == ["clean", "poor"]
    assert all((tmp_path / "demo" / row["image"]).is_file() and row["caption"] for row in probes)
    assert {row["subject_id"] for row in probes} == {record.subject_id for record in records}


def test_the_same_arguments_give_the_same_files_and_another_seed_other_people(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_demo(tmp_path / name, people=2, views=2, seed=seed)
    a, b, c = (digest(tmp_path / name) for name in "abc")
    assert a == b
    assert not set(a.values()) & set(c.values())


def test_captions_say_what_the_table_beside_them_says(tmp_path: Path) -> None:
    write_demo(tmp_path / "demo", people=12, views=2)
    for row in table(tmp_path / "demo" / "gallery" / "captions.csv"):
        words = row["caption"].split()
        assert not ({"man", "He"} & set(words)) or row["male"] == "true"
        assert not ({"woman", "She"} & set(words)) or row["male"] == "false"
        for phrase, column in (("eyeglasses", "eyeglasses"), ("blond hair", "blond_hair"), ("bangs", "bangs")):
            assert phrase not in row["caption"] or row[column] == "true"


def test_a_previous_demo_is_replaced_and_other_files_are_left_alone(tmp_path: Path) -> None:
    write_demo(tmp_path, people=3, views=3)
    (tmp_path / "notes.txt").write_text("mine")
    write_demo(tmp_path, people=2, views=2)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert sorted(path.name for path in (tmp_path / "probes").iterdir()) == ["person0000.png", "person0001.png"]
    assert [path.name for path in (tmp_path / "gallery" / "person0000").iterdir()] == ["view0.png"]
    assert not (tmp_path / "gallery" / "person0002").exists()


@pytest.mark.parametrize("content", [{"photo.jpg": "x"}, {"demo.json": "{}"}, {"demo.json": "not json"}])
def test_a_folder_that_is_no_demo_is_refused(tmp_path: Path, content: dict[str, str]) -> None:
    for name, text in content.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match="no demo"):
        write_demo(tmp_path, people=1)
    assert {path.name for path in tmp_path.iterdir()} == set(content)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("x")
    with pytest.raises(InputError, match="no demo"):
        write_demo(tmp_path / "demo", people=1)


@pytest.mark.parametrize("options", [{"people": 0}, {"people": 10_000}, {"views": 1}, {"seed": -1}])
def test_numbers_out_of_range_are_refused(tmp_path: Path, options: dict[str, int]) -> None:
    with pytest.raises(InputError, match="people from 1"):
        write_demo(tmp_path / "demo", **options)
    assert not (tmp_path / "demo").exists()


def test_the_model_speaks_only_of_what_shows() -> None:
    assert {"male", "eyeglasses", "smiling", "blond_hair"} <= set(SyntheticFaces.load().visible)
