"""What was found wrong about a gallery's labels, as a page with pictures and a table in which a person decides."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from indexer import Store
from pipelines.casework.labels.check import Alike, Checked
from tgfr_search.data.same_person import UNDECIDED, Decision, decisions_text
from tgfr_search.files import replace_text
from tgfr_search.outputs import write_whole
from tgfr_search.pages import render
from tgfr_search.terms import LEAD_NOTICE

PAGE, TABLE = "check.html", "decisions.csv"


def write_check(folder: Path, store: Store, found: Checked, decided: Iterable[Decision] = ()) -> None:
    """Writes the page and the table of decisions, with those made before.

    Args:
        folder: Made where it is not there.
        store: For the pictures.
        found: By `check_gallery`.
        decided: Are kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = [each for each in decided if each.decision != UNDECIDED]
    asked = [Decision(*pair) for pair in dict.fromkeys(each.pair for each in found.one_person)]
    asked += [Decision(*each.pair, photo=store.rows([each.rows[0]])[0].image) for each in found.two_people]
    replace_text(folder / TABLE, decisions_text([*kept, *asked]))

    def card(each: Alike) -> dict[str, Any]:
        return {"alike": each, "pictures": [row.chip for row in store.rows(list(each.rows))]}

    crowded = [
        {"row": row, "subject": subject, "times": times, "picture": store.rows([row])[0].chip}
        for row, subject, times in found.crowded
    ]
    page = render(
        "gallery_check.html",
        found=found,
        source=str(store.path),
        table=TABLE,
        notice=LEAD_NOTICE,
        one_person=[card(each) for each in found.one_person],
        two_people=[card(each) for each in found.two_people],
        crowded=crowded,
    )
    write_whole(folder / PAGE, page.encode("utf-8"))
