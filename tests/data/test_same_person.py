"""What people decided about labels is read strictly, and merges whom it says and nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tgfr_search.data.same_person import (
    DIFFERENT,
    SAME,
    Decision,
    counted,
    decisions_text,
    one_name_each,
    own_subject,
    read_decisions,
)
from tgfr_search.errors import InputError


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = (
        Decision("7716", "7677", SAME, "M. Example", "2026-01-01", "one photograph, twice"),
        Decision("a, b", "c", DIFFERENT),
        Decision("d", "e"),
        Decision("f", "f", DIFFERENT, "M. Example", "2026-01-01", "another nose", "f/3.jpg"),
        Decision("f", "f", SAME, photo="f/4.jpg"),
    )
    path = tmp_path / "decisions.csv"
    path.write_text(decisions_text(made), encoding="utf-8")
    assert read_decisions(path) == made
    path.write_text("first,second\n1,2\n", encoding="utf-8")
    assert read_decisions(path) == (Decision("1", "2", SAME),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "line 1; found: a, b"),
        ("", "line 1; found: nothing"),
        ("first,second\n1,\n", "line 2; found: a pair without a subject"),
        ("first,second,decision\n1,2,maybe\n", "line 2; found: maybe; expected: same person or different"),
        ("first,second,decision,photo\n1,2,different,3.jpg\n", "line 2; found: a photo of 1 and 2"),
        ("first,second,decision\n1,2,different\n2,1,same person\n", "line 3.*an earlier line says different"),
    ],
)
def test_what_is_no_table_of_decisions(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "decisions.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_decisions(path)
    with pytest.raises(InputError, match=r"missing\.csv"):
        read_decisions(tmp_path / "missing.csv")


def test_chains_are_one_person_and_nobody_else_is() -> None:
    decided = [Decision("b", "c", SAME), Decision("c", "a", SAME), Decision("d", "e", DIFFERENT), Decision("f", "g")]
    names = ["c", "a", "b", "d", "e", "f", "g", "h"]
    assert one_name_each(names, decided) == ["a", "a", "a", "d", "e", "f", "g", "h"]
    assert one_name_each(names, []) == names
    with pytest.raises(InputError, match="a and b are different, and one person through other pairs"):
        one_name_each(names, [*decided, Decision("a", "b", DIFFERENT)])


def test_a_photo_of_somebody_else_is_of_a_subject_of_its_own() -> None:
    decided = [
        Decision("b", "b", DIFFERENT, photo="2.jpg"),
        Decision("a", "a", SAME, photo="1.jpg"),
        Decision("c", "c", photo="4.jpg"),
        Decision("a", "b", SAME),
    ]
    subjects, photos = ["a", "b", "b", "c", "c"], ["2.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg"]
    assert one_name_each(subjects, decided, photos) == ["a", "b, photo 2.jpg", "a", "c", "c"]
    assert one_name_each(subjects, decided) == ["a", "a", "a", "c", "c"]
    both = [Decision("c", "c", DIFFERENT, photo="4.jpg"), Decision("c", "c", DIFFERENT, photo="5.jpg")]
    two = Decision(own_subject("c", "4.jpg"), own_subject("c", "5.jpg"), SAME)
    assert counted([*decided, *both, two]) == (1, 3)
    assert one_name_each(subjects, [*both, two], photos)[3:] == ["c, photo 4.jpg"] * 2
