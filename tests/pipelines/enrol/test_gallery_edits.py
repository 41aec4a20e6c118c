"""Whatever is done to a gallery, `index` brings the index to what an enrolment from nothing gives, or says what stays.

Random edits of folders, tables and Parquet files, with `index` after each.
"""

import random
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from gallery_helpers import CASES, FORMS, NAMES, PHOTOS, SUBJECTS, WORDS, Entry, index, quarantine_of, rows_of, write
from hypothesis import given, settings
from hypothesis import strategies as st

from tgfr_search.errors import InputError
from tgfr_search.model.loaded import FaceTextModel


def edited(entries: list[Entry], what: str, i: int, j: int, value: int) -> list[Entry]:
    """One edit of a gallery; one that makes no sense there changes nothing."""
    out, i, j = list(entries), i % len(entries), j % len(entries)
    free = [name for name in NAMES if name not in {e.name for e in out}]
    name = free[value % len(free)] if free else out[i].name
    if what == "add" and free:
        out.insert(j, Entry(name, value % len(PHOTOS), SUBJECTS[i % 4], WORDS[value % 3], CASES[j % 2]))
    elif what == "copy" and free:
        out.insert(j, replace(out[i], name=name, words=WORDS[value % 3]))
    elif what == "remove" and len(out) > 1:
        del out[i]
    elif what == "rename":
        out[i] = replace(out[i], name=name)
    elif what == "swap":
        out[i], out[j] = replace(out[i], name=out[j].name), replace(out[j], name=out[i].name)
    elif what == "replace":
        out[i] = replace(out[i], photo=value % len(PHOTOS))
    elif what == "words":
        out[i] = replace(out[i], words=WORDS[value % 3])
    elif what == "subject":
        out[i] = replace(out[i], subject=SUBJECTS[value % 4])
    elif what == "case":
        out[i] = replace(out[i], case=CASES[value % 2])
    elif what == "no subject":
        out[i] = replace(out[i], spoiled=not out[i].spoiled)
    elif what == "reorder":
        random.Random(value).shuffle(out)
    return out


EDITS = ("reorder", "add", "copy", "remove", "rename", "swap", "replace", "words", "subject", "case", "no subject")
edit = st.tuples(st.sampled_from(EDITS), *(st.integers(0, 11) for _ in range(3)))


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=7, deadline=None, derandomize=True)
@given(edits=st.lists(edit, min_size=1, max_size=5), prune=st.booleans())
def test_random_edits(form: str, edits: list[tuple[str, int, int, int]], prune: bool, model: FaceTextModel) -> None:
    # The first two are one photo, said to show different things.
    entries = [Entry(name, max(0, at - 1), words=WORDS[at % 3]) for at, name in enumerate(NAMES[:4])]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "index"
        index(write(Path(folder) / "gallery", form, entries), out, model)
        for number, (what, i, j, value) in enumerate(edits):
            entries = edited(entries, what, i, j, value)
            source = write(Path(folder) / "gallery", form, entries)
            before = rows_of(out)
            summary = index(source, out, model)
            index(source, Path(folder) / f"fresh{number}", model)
            expected, now = rows_of(Path(folder) / f"fresh{number}"), rows_of(out)
            if what == "reorder":  # a row is told by its name and content, never by its place
                assert (summary.enrolled, now) == (0, before)
            # Nobody knows what the gallery says of a row that it names without a subject: the row stays, and is told.
            unread = set(summary.unread_images)
            assert all(now.pop(name) == before[name] for name in unread)
            stay = set(summary.gone_images)
            assert {name: row for name, row in now.items() if name not in stay} == expected
            assert all(now[name] == before[name] for name in stay)
            assert not stay & expected.keys()
            assert quarantine_of(out) == quarantine_of(Path(folder) / f"fresh{number}")
            again = index(source, out, model)
            assert (again.enrolled, again.generation) == (0, summary.generation)
            assert again.gone_images == summary.gone_images
            if prune:
                if stay and not expected and not unread:
                    with pytest.raises(InputError, match="none of the index's"):
                        index(source, out, model, prune_most=True)
                else:
                    assert index(source, out, model, prune_most=True).pruned == len(stay)
                    assert {name: row for name, row in rows_of(out).items() if name not in unread} == expected
