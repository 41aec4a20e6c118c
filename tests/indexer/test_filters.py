"""Filters: exact against brute force, unknowns as in SQL, clear errors."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from index_helpers import CONTRACT, make_batch, plain_search, plain_subjects, random_blocks

from indexer import FilterError, Store, products
from indexer.filters import parse
from indexer.filters.conditions import Both, Comparison, Either, IsNull, Membership, Not
from indexer.generation import Generation
from indexer.milvus.expression import expression
from indexer.milvus.layout import Column
from indexer.opened import FILTERS_KEPT

COUNT = 240
METADATA: list[dict[str, Any]] = [
    {
        "site": "ABC"[i % 3] if i % 7 else None,
        "n": i,
        "x": i / 8 if i % 2 else i,
        "age": str(20 + i % 40) if i % 5 else "",
        "enrolled_at": f"2024-01-{1 + i % 28:02d}" + ("T12:00:00+02:00" if i % 2 else ""),
        "checked": i % 4 == 0,
        "nested": {"a": 1},
        "mixed": "a" if i % 2 else 1,
        "image": "clash",
        'odd "name"': "it's",
        **({"rare": i} if i == 77 else {}),
    }
    for i in range(COUNT)
]


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, np.ndarray, list[str]]:
    store = Store.create(tmp_path_factory.mktemp("filters") / "index", CONTRACT)
    blocks = random_blocks(np.random.default_rng(0), COUNT)
    subjects = [f"s{i % 50}" for i in range(COUNT)]
    with store.writer() as writer:
        writer.add(make_batch(subjects, blocks, metadata=METADATA))
        writer.commit()
    return store, np.hstack(list(blocks.values())), subjects


def date(i: int) -> datetime:
    moment = datetime.fromisoformat(METADATA[i]["enrolled_at"])
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


CASES: dict[str, Any] = {
    # In quotes too a date is a date, with its zone, where the column holds dates only.
    "enrolled_at >= '2024-01-14T11:00:00+01:00'": lambda i: date(i) >= datetime(2024, 1, 14, 10, tzinfo=UTC),
    "enrolled_at = '2024-01-14 10:00Z'": lambda i: date(i) == datetime(2024, 1, 14, 10, tzinfo=UTC),
    "enrolled_at not in ('2024-01-14T12:00:00+02:00', '2024-01-15')": lambda i: (
        date(i) not in (datetime(2024, 1, 14, 10, tzinfo=UTC), datetime(2024, 1, 15, tzinfo=UTC))
    ),
    "enrolled_at like '2024-01-14T%'": lambda i: METADATA[i]["enrolled_at"].startswith("2024-01-14T"),
    "site < '2024-01-01'": lambda i: False,
    "site = 'A'": lambda i: METADATA[i]["site"] == "A",
    "site != 'A'": lambda i: METADATA[i]["site"] not in (None, "A"),
    "not (site = 'A')": lambda i: METADATA[i]["site"] not in (None, "A"),
    "site is null": lambda i: METADATA[i]["site"] is None,
    "SITE IS NOT NULL".replace("SITE", "site"): lambda i: METADATA[i]["site"] is not None,
    "site in ('A', 'C')": lambda i: METADATA[i]["site"] in ("A", "C"),
    "site not in ('A', 'C')": lambda i: METADATA[i]["site"] == "B",
    "site = 'A' and enrolled_at >= 2024-01-15": lambda i: (
        METADATA[i]["site"] == "A" and date(i) >= datetime(2024, 1, 15, tzinfo=UTC)
    ),
    "enrolled_at = 2024-01-02T10:00Z": lambda i: date(i) == datetime(2024, 1, 2, 10, tzinfo=UTC),
    "n < 10 or n >= 230 and site = 'B'": lambda i: i < 10 or (i >= 230 and METADATA[i]["site"] == "B"),
    "(n < 10 or n >= 230) and site = 'B'": lambda i: (i < 10 or i >= 230) and METADATA[i]["site"] == "B",
    "x <= 3.5": lambda i: METADATA[i]["x"] <= 3.5,
    "n in (1, 2.0, 500, 3.5)": lambda i: i in (1, 2),
    "age > 50": lambda i: i % 5 and 20 + i % 40 > 50,
    "age = '25'": lambda i: METADATA[i]["age"] == "25",
    "checked = true": lambda i: i % 4 == 0,
    "rare = 77": lambda i: i == 77,
    "rare is null": lambda i: i != 77,
    "nested is null": lambda i: False,
    "subject_id like 's1%'": lambda i: str(i % 50).startswith("1"),
    "subject_id not like 's_'": lambda i: i % 50 > 9,
    "caption like '%smiles%'": lambda i: i % 3 != 0,
    "caption is null": lambda i: i % 3 == 0,
    "quality.inter_eye_px > 200": lambda i: 40.5 + i > 200,
    "row_id = 5": lambda i: i == 5,
    "metadata.image = 'clash'": lambda i: True,
    '"odd ""name""" = \'it\'\'s\'': lambda i: True,
    "n = 12345": lambda i: False,
}


@pytest.mark.parametrize("where", CASES)
def test_the_answer_is_that_of_an_index_of_these_rows_alone(
    gallery: tuple[Store, np.ndarray, list[str]], where: str
) -> None:
    store, vectors, subjects = gallery
    keep = np.array([i for i in range(COUNT) if CASES[where](i)], np.int64)
    queries = np.random.default_rng(1).standard_normal((2, CONTRACT.dim)).astype(np.float32)
    for k in (1, 7, COUNT):
        ids, scores = store.search(queries, k, where=where)
        for number, query in enumerate(queries):
            found = list(zip(ids[number].tolist(), scores[number].tolist(), strict=True))[: len(keep)]
            assert found == plain_search(vectors[keep], keep, query, k)
            assert (ids[number, len(keep) :] == -1).all()
        for aggregate in ("max", "mean"):
            for query, hits in zip(queries, store.search_subjects(queries, k, aggregate, where=where), strict=True):
                names = [subjects[i] for i in keep]
                expected = plain_subjects(vectors[keep], keep, names, query, k, aggregate)
                assert [(hit.subject_id, hit.row_id, hit.score) for hit in hits] == expected


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("sight = 'A'", r"'sight'.*no such column.*checked \(boolean\).*n \(number\).*site \(text\)"),
        ("n = 'A'", r"column 'n' is compared with 'A', a text; found: a column of number; .*a number"),
        ("n > 2024-01-01", r"'n' is compared with 2024-01-01T00:00:00\+00:00, a date; found: a column of number"),
        ("site > 3", r"'site' is compared with 3, a number; found: the text '[ABC]' in row \d+"),
        ("checked = 1", "a column of boolean; expected: .*true or false"),
        ("checked < true", "found: < true or false"),
        ("mixed = 1", "number and text.*is null"),
        ("nested = 1", "lists or objects"),
        ("", "its end; expected: a column"),
        ("site = ", "its end; expected: a literal"),
        ("site = A", "'A' at character 8; expected: a literal: 'text'"),
        ("site = 'A", "at character 7|at character 8"),
        ("site == 'A'", "'=' at character 7"),
        ("site = 'A' site", "'site' at character 12; expected: `and`, `or` or the end"),
        ("(site = 'A'", r"its end; expected: `\)`"),
        ("n in ()", r"'\)' at character 7; expected: a literal"),
        ("n is 3", "expected: `null`"),
        ("site like 3", "a text in single quotes"),
        ("enrolled_at > 2024-13-01", "calendar"),
        ("n = 99999999999999999999", "up to 9007199254740992"),
        ("(" * 100 + "n = 1" + ")" * 100, "50 levels"),
        ("n = 1; drop table rows", "'; drop table rows' at character 6"),
        ("site = 'A\udcff'", "no text at character 10; expected: UTF-8"),
    ],
)
def test_errors_say_what_could_be(gallery: tuple[Store, np.ndarray, list[str]], where: str, message: str) -> None:
    with pytest.raises(FilterError, match=message):
        gallery[0].search(np.ones((1, CONTRACT.dim), np.float32), 1, where=where)


@pytest.mark.slow
@pytest.mark.parametrize("join", [" or ", " and "])
def test_tens_of_thousands_of_terms(gallery: tuple[Store, np.ndarray, list[str]], join: str) -> None:
    """As another program writes them; joined in one Arrow expression they would end the process."""
    ask = np.ones((1, CONTRACT.dim), np.float32)
    terms = [f"n {'=' if join == ' or ' else '!='} {10 * i}" for i in range(30_000)]
    rows = [i for i in range(COUNT) if (i % 10 == 0) == (join == " or ")]
    assert sorted(gallery[0].search(ask, COUNT, where=join.join(terms))[0][0].tolist())[-len(rows) :] == rows
    named = ", ".join(str(10 * i) for i in range(30_000))
    kept = gallery[0].search(ask, COUNT, where=f"n in ({named})")[0][0]
    assert sorted(kept[kept >= 0].tolist()) == [i for i in range(COUNT) if i % 10 == 0]


def test_a_filter_sees_updates_and_deletions(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "index", CONTRACT)
    with store.writer() as writer:
        writer.add(make_batch(["a", "b", "c"], random_blocks(np.random.default_rng(0), 3)))
        writer.commit()
    query = np.ones((1, CONTRACT.dim), np.float32)
    assert sorted(store.search(query, 3, where="site = 'A'")[0][0].tolist()) == [0, 1, 2]
    with store.writer() as writer:
        writer.update(1, metadata={"site": "B"})
        writer.delete(row_ids=[2])
        writer.commit()
    assert store.search(query, 3, where="site = 'A'")[0][0].tolist() == [0, -1, -1]
    assert store.search(query, 3, where="site = 'B'")[0][0].tolist() == [1, -1, -1]
    assert store.search_subjects(query, 3, where="subject_id = 'b'")[0][0].row_id == 1


NAMES = st.sampled_from(["site", "n", "x", "rare"])
VALUES = {"site": ["'A'", "'B'", "'z'"], "n": ["3", "100.5"], "x": ["2", "9.125"], "rare": ["77", "1"]}


@st.composite
def filters(draw: st.DrawFn, depth: int = 3) -> str:
    kind = draw(st.sampled_from(["leaf", "and", "or", "not"] if depth else ["leaf"]))
    if kind == "not":
        return f"not ({draw(filters(depth=depth - 1))})"
    if kind != "leaf":
        return f"({draw(filters(depth=depth - 1))} {kind} {draw(filters(depth=depth - 1))})"
    name = draw(NAMES)
    values = st.sampled_from(VALUES[name])
    shape = draw(st.integers(0, 3))
    if shape == 0:
        return f"{name} is {draw(st.sampled_from(['', 'not ']))}null"
    if shape == 1:
        return f"{name} {draw(st.sampled_from(['', 'not ']))}in ({draw(values)}, {draw(values)})"
    return f"{name} {draw(st.sampled_from(['=', '!=', '<>', '<', '<=', '>', '>=']))} {draw(values)}"


def truth(condition: Any, row: dict[str, Any]) -> bool | None:
    """SQL's three values, written out."""
    match condition:
        case IsNull(column):
            return row.get(column) is None
        case Not(part):
            inner = truth(part, row)
            return None if inner is None else not inner
        case Both(parts):
            found = [truth(part, row) for part in parts]
            return False if False in found else None if None in found else True
        case Either(parts):
            found = [truth(part, row) for part in parts]
            return True if True in found else None if None in found else False
        case Membership(column, values):
            return None if row.get(column) is None else row[column] in values
        case Comparison(column, op, value):
            own = row.get(column)
            if own is None:
                return None
            return {
                "=": own == value, "!=": own != value, "<": own < value,
                "<=": own <= value, ">": own > value, ">=": own >= value,
            }[op]  # fmt: skip


@pytest.mark.slow
@given(where=filters())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_random_filters_against_three_valued_logic(gallery: tuple[Store, np.ndarray, list[str]], where: str) -> None:
    ids, _ = gallery[0].search(np.ones((1, CONTRACT.dim), np.float32), COUNT, where=where)
    condition = parse(where)
    expected = [i for i in range(COUNT) if truth(condition, METADATA[i]) is True]
    assert sorted(i for i in ids[0].tolist() if i >= 0) == expected


def cells_made(path: Path, count: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """The cells of all whole columns that a first filtered query makes: each is made as long as the gallery."""
    store = Store.create(path, CONTRACT)
    metadata = [{f"m{i}": i for i in range(9)} for _ in range(count)]
    with store.writer() as writer:
        writer.add(make_batch(["a"] * count, random_blocks(np.random.default_rng(0), count), metadata=metadata))
        writer.commit()
    made, length = [], Generation.__len__
    with monkeypatch.context() as patch:
        patch.setattr(Generation, "__len__", lambda self: made.append(length(self)) or made[-1])
        store.search(np.ones((1, CONTRACT.dim), np.float32), 1, where="m3 = 3")
    return sum(made)


def test_the_work_of_a_first_filtered_query_grows_as_the_rows_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few, many = (cells_made(tmp_path / str(count), count, monkeypatch) for count in (40, 160))
    assert 0 < many <= 4 * few


def test_a_filter_copies_no_vectors_and_the_last_few_are_kept(gallery: tuple[Store, np.ndarray, list[str]]) -> None:
    store, query = gallery[0], np.ones((1, CONTRACT.dim), np.float32)
    for where in ("n < 200", "n < 100", "n < 200"):
        store.search(query, 1, where=where)
    first = store._gallery("n < 200")
    assert store._gallery("n < 100") is not first
    assert store._gallery("n < 200") is first
    assert np.shares_memory(first.ranker._vectors._vectors, store._generation.vectors)  # type: ignore[union-attr]
    for number in range(FILTERS_KEPT):
        store.search(query, 1, where=f"n = {number}")
    assert store._gallery("n < 200") is not first


def test_a_filter_that_lets_much_through_is_ranked_in_pieces(
    gallery: tuple[Store, np.ndarray, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "_BYTES_AT_ONCE", 7 * 4 * CONTRACT.dim)
    store, vectors, subjects = gallery
    keep = np.array([i for i in range(COUNT) if i < 200])
    queries = np.random.default_rng(3).standard_normal((3, CONTRACT.dim)).astype(np.float32)
    ids, scores = store.search(queries, 5, where="n < 200 and n >= 0")
    for number, query in enumerate(queries):
        found = list(zip(ids[number].tolist(), scores[number].tolist(), strict=True))
        assert found == plain_search(vectors[keep], keep, query, 5)
    for query, hits in zip(queries, store.search_subjects(queries, 9, "mean", where="n < 200 and n >= 0"), strict=True):
        expected = plain_subjects(vectors[keep], keep, [subjects[i] for i in keep], query, 9, "mean")
        assert [(hit.subject_id, hit.row_id, hit.score) for hit in hits] == expected


def test_names_are_found_in_any_spelling(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "index", CONTRACT)
    subjects = ["Jose\u0301 ", "Jos\u00e9", "Jose", "Anna"]
    metadata = [{"place": "Ko\u0308ln"}, {"place": "K\u00f6ln"}, {"place": "Koln"}, {}]
    with store.writer() as writer:
        writer.add(make_batch(subjects, random_blocks(np.random.default_rng(0), 4), metadata=metadata))
        writer.commit()
    probe = np.ones((1, CONTRACT.dim), np.float32)
    for where, expected in {
        "subject_id = 'Jos\u00e9'": {0, 1},
        "subject_id in ('Jose\u0301', 'Anna ')": {0, 1, 3},
        "place like 'Ko\u0308%'": {0, 1},
        "place != 'K\u00f6ln'": {2},
    }.items():
        ids, _ = store.search(probe, 4, where=where)
        assert set(ids[ids >= 0].tolist()) == expected, where


def test_a_date_in_quotes_is_a_date_for_milvus_too() -> None:
    columns = {"taken": Column("c0", "text", ("date",)), "site": Column("c1", "text", ())}
    plain, quoted = (expression(parse(f"taken > {q}2024-01-14T11:00:00+01:00{q}"), columns) for q in ("", "'"))
    assert plain == quoted
    assert '"2024-01-14"' in expression(parse("site in ('2024-01-14')"), columns)
