"""One typing rule for a field on every way in."""

from __future__ import annotations

import pytest

from pipelines.enrol.rows.fields import Fields
from tgfr_search.errors import InputError

FIELDS = [{"case": "007", "age": 41, "seen": True, "tags": ["a"], "mixed": 1}, {"mixed": "x", "age": 4.5}]


def test_values_get_the_type_of_their_column() -> None:
    fields = Fields(FIELDS)
    stored, odd = fields.enrolled({"case": 14, "age": "42", "seen": "false", "tags": '["b"]', "mixed": 2, "new": "5"})
    assert stored == {"case": "14", "age": 42, "seen": False, "tags": ["b"], "mixed": 2, "new": "5"}
    assert odd == []
    assert fields.enrolled({"new": 6, "age": None})[0] == {"new": "6", "age": None}


def test_a_number_is_one_however_it_is_written() -> None:
    assert Fields(FIELDS).enrolled({"age": "1.50"}) == ({"age": 1.5}, [])
    assert Fields(FIELDS).enrolled({"age": "-0.0"}) == ({"age": 0.0}, [])


@pytest.mark.parametrize("cut", range(5))
def test_types_do_not_depend_on_how_the_work_is_cut(cut: int) -> None:
    """What is stored of a row is the same whether one run enrols all, or a second one goes on after a kill."""
    rows = [{"n": "1", "m": 1}, {"n": "x", "m": "2"}, {"n": 3, "m": True}, {"n": "4", "m": "5"}]
    whole, first, later = (Fields(rows) for _ in range(3))
    expected = [whole.enrolled(row)[0] for row in rows]
    stored = [first.enrolled(row)[0] for row in rows[:cut]]
    for row in stored:
        later.learn(row)
    assert stored + [later.enrolled(row)[0] for row in rows[cut:]] == expected
    assert [row["n"] for row in expected] == [1, "x", 3, 4]
    assert [row["m"] for row in expected] == ["1", "2", "true", "5"]


@pytest.mark.parametrize("value", ["007", "unknown", "1e3", "0.10000000000000000001", True])
def test_what_would_not_say_the_same_is_kept_and_told(value: object) -> None:
    stored, (note,) = Fields(FIELDS).enrolled({"age": value})
    assert stored == {"age": value}
    assert "column 'age' holds a number in other rows" in note


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("case=1.50", ("case", "1.50")),
        (" case =x", ("case", "x")),
        ("age=7", ("age", 7)),
        ("age=null", ("age", None)),
        ("seen=false", ("seen", False)),
        ("new=7", ("new", 7)),
        ('new="7"', ("new", "7")),
        ("new=NaN", ("new", "NaN")),
        ("new=a=b", ("new", "a=b")),
    ],
)
def test_assignments(text: str, expected: tuple[str, object]) -> None:
    assert Fields(FIELDS).assigned(text) == expected


@pytest.mark.parametrize("text", ["age=old", "seen=1", "tags=7", "age", "=7", "\u200b=7"])
def test_assignments_that_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="--set"):
        Fields(FIELDS).assigned(text)
