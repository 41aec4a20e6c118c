"""What a case refuses, in words."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from tgfr_search.audit.entries import Act
from tgfr_search.errors import InputError


def not_empty(folder: Path) -> InputError:
    """A case is to be started where something is."""
    return InputError(f"{folder}", found="something", expected="no folder, or an empty one", do="name another")


def no_case(folder: Path, *, cut_off: bool) -> InputError:
    """There is no case, or one whose start was cut off before it was logged, or one that came from elsewhere."""
    if (folder / "bagit.txt").is_file():
        do = "`case open` and `case replay --index` read it; what is to be added belongs into the case itself"
        return InputError(f"{folder}", found="an imported case", expected="one that is kept here", do=do)
    found = "no case: it was cut off while it was started, and never answered" if cut_off else "no case"
    do = "remove the folder, then start the case again" if cut_off else ""
    return InputError(f"{folder}", found=found, expected="a folder with case.json", do=do)


def another_kind(name: str, kind: str, known: str) -> InputError:
    """Bytes that were received already come again, as evidence of another kind."""
    return InputError(
        "--kind",
        found=kind,
        expected=f"{known}, as which these bytes were received: {name}",
        do="leave --kind out; `case note` keeps what is to be corrected",
    )


def not_open(folder: Path, acts: Collection[str]) -> InputError | None:
    """Nothing may be added to a case with these acts in its log; None where it may."""
    if Act.CASE_CLOSED in acts:
        found = "a closed case"
    elif Act.CASE_OPENED not in acts:
        found = "a case whose first entry was removed: nobody can tell whether it is closed"
    else:
        return None
    return InputError(f"{folder}", found=found, expected="an open one", do="start another case")
