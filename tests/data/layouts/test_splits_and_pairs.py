from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from trees import ijb, lfw, lines, put

from tgfr_search.data.layouts.base import paper_split
from tgfr_search.data.layouts.ijb import TemplatePair, read_template_pairs
from tgfr_search.data.layouts.lfw import Pair, read_pairs
from tgfr_search.data.records import Problem, read_records
from tgfr_search.errors import InputError, Reason


def test_subjects_are_sorted_as_numbers(tmp_path: Path) -> None:
    assert paper_split(["100", "9", "20", "9"], 1, 1) == {"9": "train", "20": "valid", "100": "test"}
    assert paper_split(["bob", "7", "ann"], 1, 1) == {"7": "train", "ann": "valid", "bob": "test"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "train", "subjects"), [("mm", 4500, 6217), ("dialog", 8000, 10177), ("face2text", 4500, 6193)]
)
def test_the_paper_split_at_full_size(tmp_path: Path, make: str, train: int, subjects: int) -> None:
    """Every subject with one image listed; the files of five of them are there, at the borders of the parts."""
    named = [f"{number:06d}.jpg" for number in range(1, subjects + 1)]
    # The number of a subject runs against that of its image, so neither order is the other.
    lines(tmp_path / "identity_CelebA.txt", *(f"{file} {subjects - at}" for at, file in enumerate(named)))
    there = {1: "train", train: "train", train + 1: "valid", train + 500: "valid", train + 501: "test"}
    if make == "mm":
        rows = (f"{at} 0 {file}" for at, file in enumerate(named))
        lines(tmp_path / "CelebA-HQ-to-CelebA-mapping.txt", "idx orig_idx orig_file", *rows)
        put(tmp_path / "text/celeba-caption/0.txt", "A face.")
        for subject in there:
            put(tmp_path / f"image/images/{subjects - subject}.jpg")
    else:
        text = {"dialog": '{"000001.jpg": {"overall_caption": "A face."}}', "face2text": ""}[make]
        rows = (f'{{"filename": "{file}", "description": "A face."}}' for file in named)
        put(tmp_path / ("captions.json" if text else "raw.jsonl"), text or "\n".join(rows))
        for subject in there:
            put(tmp_path / f"img_align_celeba/{named[subjects - subject]}")
    for part in ("train", "valid", "test"):
        problems: list[Problem] = []
        records = list(read_records(tmp_path, split=part, on_problem=problems.append))
        assert sorted(int(str(record.subject_id)) for record in records) == [s for s, p in there.items() if p == part]
        size = {"train": train, "valid": 500, "test": subjects - train - 500}[part]
        assert Counter(problem.reason for problem in problems) == {Reason.MISSING_IMAGE: size - len(records)}


@pytest.mark.shared
def test_the_split_is_that_of_the_measured_numbers(shared_data: Path) -> None:
    """The set that every number of this project was measured on was split by somebody else's program."""
    table = pq.read_table(shared_data / "mmceleba_hq.parquet", columns=["identity", "split"]).to_pylist()
    expected = {str(row["identity"]): row["split"] for row in table}
    assert paper_split(expected, 4500, 500) == expected


# --- pairs --------------------------------------------------------------------------------------------------------


def test_lfw_pairs_name_the_records(tmp_path: Path) -> None:
    folds = read_pairs(lfw(tmp_path))
    ann, cy, eve = (f"lfw/{name}/{name}_000" for name in ("Ann_Bee", "Cy_Dee", "Eve_Fox"))
    assert folds == (
        (Pair(f"{ann}1.jpg", f"{ann}3.jpg", True), Pair(f"{ann}2.jpg", f"{cy}1.jpg", False)),
        (Pair(f"{eve}1.jpg", f"{eve}2.jpg", True), Pair(f"{cy}1.jpg", f"{eve}2.jpg", False)),
    )
    names = {record.name for record in read_records(tmp_path, on_problem=lambda problem: None)}
    assert {image for fold in folds for pair in fold for image in (pair.first, pair.second)} <= names


def test_lfw_list_of_view_1_and_pairs_beside_the_people(tmp_path: Path) -> None:
    lfw(tmp_path)
    train = lines(tmp_path / "pairsDevTrain.txt", "1", "Ann_Bee\t1\t2", "Ann_Bee\t1\tEve_Fox\t1")
    ((genuine, impostor),) = read_pairs(tmp_path, train)
    assert (genuine.genuine, impostor.genuine) == (True, False)
    (tmp_path / "pairs.txt").rename(tmp_path / "lfw/pairs.txt")
    assert read_pairs(tmp_path / "lfw")[0][0].first == "Ann_Bee/Ann_Bee_0001.jpg"
    records = list(read_records(tmp_path / "lfw", on_problem=lambda problem: None))
    assert {record.subject_id for record in records} == {"Ann_Bee", "Cy_Dee", "Eve_Fox"}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (("ten 300", "Ann_Bee 1 2"), "line 1; found: ten 300; expected: the number of folds"),
        ((), "line 1; found: nothing"),
        (("1 1", "Ann_Bee 1 2"), "1 pairs; expected: 1 × 2 × 1"),
        (("1 1", "Ann_Bee 1 2", "Ann_Bee 1 2"), "pair 2; found: Ann_Bee 1 2; expected: name1 n1 name2 n2"),
        (("1 1", "Ann_Bee 1 x", "Ann_Bee 1 Cy_Dee 1"), "pair 1; .*expected: name n1 n2"),
    ],
)
def test_lfw_pairs_that_are_damaged(tmp_path: Path, rows: tuple[str, ...], message: str) -> None:
    lines(lfw(tmp_path) / "pairs.txt", *rows)
    with pytest.raises(InputError, match=message):
        read_pairs(tmp_path)


def test_lfw_stray_image_and_two_folders_of_people(tmp_path: Path) -> None:
    put(lfw(tmp_path) / "lfw/stray.jpg")
    problems: list[Problem] = []
    assert len(list(read_records(tmp_path, on_problem=problems.append))) == 6
    assert [(problem.name, problem.reason) for problem in problems] == [("lfw/stray.jpg", Reason.MISSING_SUBJECT)]
    put(tmp_path / "lfw_funneled/Ann_Bee/Ann_Bee_0001.jpg")
    with pytest.raises(InputError, match="lfw and lfw_funneled; expected: one folder"):
        read_records(tmp_path, on_problem=problems.append)


def test_ijb_template_pairs(tmp_path: Path) -> None:
    pairs = read_template_pairs(ijb(tmp_path))
    assert pairs == (TemplatePair(1, 5, True), TemplatePair(2, 5, False), TemplatePair(5, 9, True))
    lines(tmp_path / "meta/ijbc_template_pair_label.txt", "1 5 1", "1 5 same")
    with pytest.raises(InputError, match="line 2; found: 1 5 same"):
        read_template_pairs(tmp_path)
