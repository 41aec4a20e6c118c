from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from trees import attribute_table, celeba, celeba_dialog, colour, face2text, ffhq_text, ijb, lfw, lines, mm_celeba, put

from tgfr_search.data.captions import ATTRIBUTES
from tgfr_search.data.layouts.registry import LAYOUTS, find_layout
from tgfr_search.data.records import Problem, read_records
from tgfr_search.errors import InputError, NothingUsableError, Reason
from tgfr_search.types import Record

MISSING, UNMATCHED = Reason.MISSING_IMAGE, Reason.UNMATCHED_CAPTION
DUPLICATE, NO_SUBJECT = Reason.DUPLICATE_ROW, Reason.MISSING_SUBJECT


def read(folder: Path, split: str | None = None) -> tuple[list[Record], list[Problem]]:
    problems: list[Problem] = []
    return list(read_records(folder, split=split, on_problem=problems.append)), problems


def reasons(problems: list[Problem]) -> list[tuple[str, Reason]]:
    return [(problem.name, problem.reason) for problem in problems]


def said(records: list[Record]) -> list[tuple[str, str | None, tuple[str, ...]]]:
    return [(record.name, record.subject_id, record.captions) for record in records]


TREES: dict[str, Callable[[Path], Path]] = {
    "celeba": celeba,
    "mm-celeba-hq": mm_celeba,
    "celeba-dialog": celeba_dialog,
    "face2text": face2text,
    "ffhq-text": ffhq_text,
    "lfw": lfw,
    "ijb": ijb,
}


@pytest.mark.parametrize("name", TREES)
def test_every_layout_is_found_by_its_files_and_read_the_same_twice(tmp_path: Path, name: str) -> None:
    folder = TREES[name](tmp_path / "set")
    layout = find_layout(folder)
    assert layout is not None
    assert layout.name == name
    assert layout.licence
    records, problems = read(folder)
    assert records
    assert problems == []
    assert all(Path(str(record.path)).is_file() for record in records)
    assert all(str(folder / record.name) == record.path for record in records)
    assert read(folder) == (records, [])
    json.dumps([dict(record.metadata) for record in records])


def test_the_trees_cover_the_registry() -> None:
    assert {layout.name for layout in LAYOUTS} == set(TREES)


def test_a_plain_folder_is_still_a_plain_folder(tmp_path: Path) -> None:
    put(tmp_path / "ann/1.jpg")
    put(tmp_path / "notes/raw.json", "{}")
    put(tmp_path / "raw.json", '[{"camera": "raw"}]')
    put(tmp_path / "pairs.txt", "ann and bob\n")
    put(tmp_path / "captions.json", '{"images": []}')
    assert find_layout(tmp_path) is None
    assert said(read(tmp_path)[0]) == [("ann/1.jpg", "ann", ())]


def test_captions_beside_the_images_make_a_published_folder_a_plain_one(tmp_path: Path) -> None:
    lines(celeba(tmp_path) / "captions.csv", "image,caption,subject_id", "img_align_celeba/000001.jpg,A man.,ann")
    assert said(read(tmp_path)[0])[0] == ("img_align_celeba/000001.jpg", "ann", ("A man.",))


def test_the_files_of_two_data_sets(tmp_path: Path) -> None:
    mm_celeba(celeba_dialog(tmp_path))
    with pytest.raises(InputError, match="Multi-Modal CelebA-HQ and CelebA-Dialog; expected: one data set"):
        read(tmp_path)


def test_a_data_set_one_folder_too_deep(tmp_path: Path) -> None:
    lfw(tmp_path / "archive")
    with pytest.raises(InputError, match=r"LFW in its folder archive; what to do: name .*archive"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "lost", "message"),
    [
        ("celeba", "identity_CelebA.txt", r"identity_CelebA.txt; found: not there; .*ask for it"),
        ("celeba", "list_attr_celeba.txt", r"expected: .*set/list_attr_celeba\.txt, or below .*Anno/list_attr"),
        ("celeba", "img_align_celeba", r"img_align_celeba; found: not there; expected: .*set/img_align_celeba/"),
        ("mm-celeba-hq", "image", r"images; found: not there; expected: .*set/image/images/, or below"),
        ("mm-celeba-hq", "CelebA-HQ-to-CelebA-mapping.txt", "not there; .*part of CelebAMask-HQ"),
        ("mm-celeba-hq", "identity_CelebA.txt", "identity_CelebA.txt; found: not there"),
        ("celeba-dialog", "img_align_celeba", "CelebA-Dialog in .*img_align_celeba; found: not there"),
        ("face2text", "identity_CelebA.txt", "Face2Text in .*identity_CelebA.txt; found: not there"),
        ("ffhq-text", "images", "FFHQ-Text in .*images; found: not there; expected: .*set/images/"),
        ("ffhq-text", "text", "expected: .*set/text/"),
        ("lfw", "lfw", "no person's folder of images; expected: .*Abel_Pacheco_0001.jpg"),
        ("ijb", "loose_crop", "loose_crop; found: not there; expected: .*set/loose_crop/"),
        ("ijb", "meta/ijbc_face_tid_mid.txt", r"expected: .*set/meta/ijbc_face_tid_mid\.txt"),
    ],
)
def test_a_part_that_is_not_there(tmp_path: Path, name: str, lost: str, message: str) -> None:
    TREES[name](tmp_path / "set")
    (tmp_path / "set" / lost).rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=message):
        read(tmp_path / "set")


def test_images_of_celeba_hq_without_their_captions(tmp_path: Path) -> None:
    put(tmp_path / "CelebA-HQ-img/0.jpg")
    with pytest.raises(InputError, match=r"celeba-caption; found: not there; expected: .*text/celeba-caption/, or"):
        read(tmp_path)


# --- CelebA -------------------------------------------------------------------------------------------------------


def test_celeba_captions_say_what_the_attributes_say(tmp_path: Path) -> None:
    (first, second, third), _ = read(celeba(tmp_path))
    assert [record.subject_id for record in (first, second, third)] == ["20", "20", "3"]
    assert first.name == "img_align_celeba/000001.jpg"
    assert first.metadata["goatee"] is True
    assert set(first.metadata) == set(ATTRIBUTES)
    assert any("goatee" in line for line in first.captions)
    assert not any("eyeglasses" in line for line in first.captions)
    assert any("eyeglasses" in line for line in second.captions)
    assert any("wavy hair" in line for line in third.captions)
    assert not any(" man" in line for line in third.captions)


def test_celeba_lines_of_an_image_do_not_depend_on_the_others(tmp_path: Path) -> None:
    before = {record.name: record.captions for record in read(celeba(tmp_path))[0]}
    attribute_table(tmp_path / "list_attr_celeba.txt", {"000002.jpg": {"male", "eyeglasses"}})
    records, problems = read(tmp_path)
    assert records[0].captions == before["img_align_celeba/000002.jpg"]
    assert reasons(problems) == [(f"img_align_celeba/00000{number}.jpg", NO_SUBJECT) for number in (1, 3)]


def test_celeba_parts_are_the_official_ones(tmp_path: Path) -> None:
    celeba(tmp_path)
    for part, number in (("train", 1), ("valid", 2), ("test", 3)):
        assert [record.name for record in read(tmp_path, part)[0]] == [f"img_align_celeba/00000{number}.jpg"]
    (tmp_path / "list_eval_partition.txt").unlink()
    assert len(read(tmp_path)[0]) == 3
    with pytest.raises(InputError, match="no splits; expected: the split 'train'"):
        read(tmp_path, "train")


def test_celeba_as_kaggle_packs_it(tmp_path: Path) -> None:
    put(tmp_path / "img_align_celeba/img_align_celeba/000001.jpg")
    lines(tmp_path / "list_attr_celeba.csv", "image_id,Male,Bald", "000001.jpg,-1,1")
    lines(tmp_path / "list_eval_partition.csv", "image_id,partition", "000001.jpg,2")
    lines(tmp_path / "Anno/identity_CelebA.txt", "000001.jpg 4")
    ((record,), problems) = read(tmp_path, "test")
    assert record.name == "img_align_celeba/img_align_celeba/000001.jpg"
    assert (record.subject_id, record.metadata, problems) == ("4", {"male": False, "bald": True}, [])
    assert any("bald" in line for line in record.captions)


def test_celeba_missing_and_repeated(tmp_path: Path) -> None:
    celeba(tmp_path)
    (tmp_path / "img_align_celeba/000002.jpg").unlink()
    lines(tmp_path / "identity_CelebA.txt", "000001.jpg 20", "000001.jpg 21", "000002.jpg 20", "000002.jpg 20")
    records, problems = read(tmp_path)
    assert [(record.name, record.subject_id) for record in records] == [("img_align_celeba/000001.jpg", "20")]
    assert reasons(problems) == [
        ("000001.jpg", DUPLICATE),
        ("000002.jpg", DUPLICATE),
        ("img_align_celeba/000002.jpg", MISSING),
        ("img_align_celeba/000003.jpg", NO_SUBJECT),
    ]
    assert "line 2 contradicts" in problems[0].detail
    assert "line 4 repeats" in problems[1].detail


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("list_attr_celeba.txt", "9\nMale Bald\n000001.jpg 1 -1\n", "1 lines of values; expected: 9"),
        ("list_attr_celeba.txt", "1\nMale Blad\n000001.jpg 1 -1\n", "'blad'; expected: the names of CelebA"),
        ("list_attr_celeba.txt", "1\nMale Bald\n000001.jpg 1 2\n", "line 3; found: 2; expected: -1, 0 or 1"),
        ("list_attr_celeba.txt", "1\nMale Bald\n000001.jpg 1\n", "line 3; .*expected: 3 fields"),
        ("list_attr_celeba.txt", "", "no names"),
        ("identity_CelebA.txt", "000001.jpg\n", "line 1; found: '000001.jpg'; expected: 2 fields"),
        ("list_eval_partition.txt", "000001.jpg 3\n", "line 1; found: 3; expected: 0"),
    ],
)
def test_celeba_file_that_is_damaged(tmp_path: Path, file: str, content: str, message: str) -> None:
    put(celeba(tmp_path) / file, content)
    with pytest.raises(InputError, match=message):
        read(tmp_path)


# --- Multi-Modal CelebA-HQ ----------------------------------------------------------------------------------------


def test_mm_celeba(tmp_path: Path) -> None:
    attributes = {f"{number}.jpg": {"young"} for number in (0, 2, 10)}
    attribute_table(mm_celeba(tmp_path) / "CelebAMask-HQ-attribute-anno.txt", attributes)
    records, _ = read(tmp_path)
    assert said(records) == [
        ("image/images/0.jpg", "100", ("He has a goatee.", "He is young.")),
        ("image/images/2.jpg", "9", ()),
        ("image/images/10.jpg", "9", ("She smiles.",)),
    ]
    assert records[0].metadata["celeba_file"] == "000007.jpg"
    assert (records[0].metadata["young"], records[0].metadata["male"]) == (True, False)


def test_mm_celeba_nothing_is_lost_in_silence(tmp_path: Path) -> None:
    mm_celeba(tmp_path)
    (tmp_path / "image/images/2.jpg").unlink()
    colour(tmp_path / "image/images/10.png", 3)
    put(tmp_path / "image/images/77.jpg")
    put(tmp_path / "text/celeba-caption/78.txt", "Nobody.")
    (tmp_path / "text/celeba-caption/0.txt").write_bytes(b"caf\xe9")
    lines(tmp_path / "identity_CelebA.txt", "000007.jpg 100", "000008.jpg 9")
    records, problems = read(tmp_path)
    assert said(records) == [("image/images/0.jpg", "100", ())]
    assert reasons(problems) == [
        ("10.png", DUPLICATE),
        ("image/images/77.jpg", NO_SUBJECT),
        ("text/celeba-caption/78.txt", UNMATCHED),
        ("0.txt", UNMATCHED),
        ("image/images/2.jpg", MISSING),
        ("image/images/10.jpg", NO_SUBJECT),
    ]
    assert "not UTF-8" in problems[3].detail


def test_mm_celeba_mapping_that_is_no_mapping(tmp_path: Path) -> None:
    lines(mm_celeba(tmp_path) / "CelebA-HQ-to-CelebA-mapping.txt", "idx orig_idx orig_file", "a b c")
    with pytest.raises(InputError, match="line 2; found: a; expected: idx orig_idx orig_file"):
        read(tmp_path)


# --- CelebA-Dialog ------------------------------------------------------------------------------------------------


def test_celeba_dialog(tmp_path: Path) -> None:
    records, _ = read(celeba_dialog(tmp_path))
    assert said(records) == [
        ("img_align_celeba/000001.jpg", "20", ("No bangs at all.",)),
        ("img_align_celeba/000002.jpg", "20", ()),
        ("img_align_celeba/000003.jpg", "3", ("Long bangs.", "Teen.")),
    ]
    assert records[0].metadata["goatee"] is True


def test_celeba_dialog_in_high_resolution(tmp_path: Path) -> None:
    mm_celeba(tmp_path)
    (tmp_path / "text/celeba-caption").rename(tmp_path / "text/other")
    put(tmp_path / "text/captions_hq.json", json.dumps({"10.jpg": "She smiles.", "0.jpg": ["A", 7, " "], "5.jpg": "?"}))
    records, problems = read(tmp_path)
    assert said(records) == [
        ("image/images/0.jpg", "100", ("A",)),
        ("image/images/2.jpg", "9", ()),
        ("image/images/10.jpg", "9", ("She smiles.",)),
    ]
    assert reasons(problems) == [("5.jpg", UNMATCHED)]


def test_celeba_dialog_captions_that_are_a_list(tmp_path: Path) -> None:
    put(celeba_dialog(tmp_path) / "captions.json", '["overall_caption"]')
    with pytest.raises(InputError, match=r"found: list; expected: .*overall_caption"):
        read(tmp_path)


# --- Face2Text ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["raw.json", "raw.jsonl", "clean.json"])
def test_face2text(tmp_path: Path, kind: str) -> None:
    face2text(tmp_path)
    rows = json.loads((tmp_path / "raw.json").read_text())
    (tmp_path / "raw.json").unlink()
    put(tmp_path / kind, "\n".join(map(json.dumps, rows)) if kind.endswith("l") else json.dumps(rows))
    records, problems = read(tmp_path)
    assert said(records) == [
        ("img_align_celeba/000001.jpg", "20", ("A man.",)),
        ("img_align_celeba/000003.jpg", "3", ("A woman with wavy hair.", "Young.")),
    ]
    assert problems == []


def test_face2text_of_lfw_images(tmp_path: Path) -> None:
    colour(tmp_path / "lfw/Adam_Ant/Adam_Ant_0001.jpg", 9)
    texts = [{"desc_id": 979, "text": "big face yellow hair"}, {"desc_id": 980, "text": "long nose"}]
    row = {"img_id": 198, "image": "Adam_Ant/Adam_Ant_0001.bmp", "descriptions": texts}
    put(tmp_path / "clean.json", json.dumps([row]))
    records, _ = read(tmp_path)
    assert said(records) == [("lfw/Adam_Ant/Adam_Ant_0001.jpg", "Adam_Ant", ("big face yellow hair", "long nose"))]


def test_face2text_unmatched_and_repeated(tmp_path: Path) -> None:
    rows = [
        {"filename": "000001.jpg", "description": "A man."},
        {"filename": "000001.jpg", "description": "A man."},
        {"filename": "000009.jpg", "description": "Nobody knows."},
        {"filename": "../000001.jpg", "description": "Outside."},
        {"description": "Whose?"},
        "no object",
    ]
    put(face2text(tmp_path) / "raw.json", json.dumps(rows))
    lines(tmp_path / "identity_CelebA.txt", "000001.jpg 20", "000009.jpg 3")
    records, problems = read(tmp_path)
    assert said(records) == [("img_align_celeba/000001.jpg", "20", ("A man.",))]
    assert reasons(problems) == [
        ("000001.jpg, entry 2", DUPLICATE),
        ("raw.json, entry 4", UNMATCHED),
        ("raw.json, entry 5", UNMATCHED),
        ("raw.json, entry 6", UNMATCHED),
        ("img_align_celeba/000009.jpg", MISSING),
    ]


def test_face2text_that_is_cut_short(tmp_path: Path) -> None:
    put(face2text(tmp_path) / "raw.json", '[{"filename": "000001.jpg", "description": "A m')
    with pytest.raises(InputError, match=r"raw\.json; found: Unterminated"):
        read(tmp_path)
    put(tmp_path / "raw.json", '{"description": 1}')
    with pytest.raises(InputError, match="found: dict; expected: a list"):
        read(tmp_path)


# --- FFHQ-Text, IJB -----------------------------------------------------------------------------------------------


def test_ffhq_text_in_any_spelling(tmp_path: Path) -> None:
    ffhq_text(tmp_path)
    (tmp_path / "images").rename(tmp_path / "Image")
    (tmp_path / "text").rename(tmp_path / "Text")
    put(tmp_path / "Text/00009.txt", "Nobody.")
    records, problems = read(tmp_path)
    assert [(record.name, record.subject_id, len(record.captions)) for record in records] == [
        ("Image/00001.png", "00001", 0),
        ("Image/00002.png", "00002", 9),
    ]
    assert reasons(problems) == [("Text/00009.txt", UNMATCHED)]


def test_ijb(tmp_path: Path) -> None:
    records, _ = read(ijb(tmp_path))
    assert [(record.name, record.subject_id) for record in records] == [
        ("loose_crop/1.jpg", "77"),
        ("loose_crop/2.jpg", "77"),
        ("loose_crop/3.jpg", "8"),
    ]
    assert records[1].metadata == {"template_ids": [1, 5], "media_id": "502"}
    assert [record.name for record in read(tmp_path, "gallery_G1")[0]] == ["loose_crop/1.jpg", "loose_crop/2.jpg"]
    assert [record.name for record in read(tmp_path, "probe_mixed")[0]] == ["loose_crop/3.jpg"]


def test_ijb_subjects_from_genuine_pairs(tmp_path: Path) -> None:
    """Template 1 and 5 are one subject by the 1:1 list; 2 is compared with 5, and is another."""
    records, _ = read(ijb(tmp_path, subjects=False))
    assert [record.subject_id for record in records] == ["1", "1", "2"]


def test_ijb_contradictions(tmp_path: Path) -> None:
    ijb(tmp_path)
    rows = ("1.jpg 1 501", "1.jpg 1 501", "1.jpg 2 501", "3.jpg 4 503", "9.jpg 2 504")
    lines(tmp_path / "meta/ijbc_face_tid_mid.txt", *rows)
    lines(tmp_path / "meta/ijbc_1N_gallery_G2.csv", "TEMPLATE_ID,SUBJECT_ID", "1,78")
    records, problems = read(tmp_path)
    assert said(records) == [("loose_crop/1.jpg", "77", ())]
    assert reasons(problems) == [
        ("template 1", DUPLICATE),
        ("1.jpg", DUPLICATE),
        ("1.jpg", DUPLICATE),
        ("loose_crop/3.jpg", NO_SUBJECT),
        ("loose_crop/9.jpg", MISSING),
    ]
    lines(tmp_path / "meta/ijbc_face_tid_mid.txt", "1.jpg one 501")
    with pytest.raises(InputError, match="line 1; found: one"):
        read(tmp_path)


def test_a_data_set_that_lists_nothing(tmp_path: Path) -> None:
    put(face2text(tmp_path) / "raw.json", '[{"description": "Whose?"}]')
    with pytest.raises(NothingUsableError, match="lists no image"):
        read(tmp_path)
