"""A case of people who do not exist, from the search to the released report: `python -m pipelines.tools.demo_case`.

The probe is the first of the demo's poor photos, the description what a witness would say. Two accounts of nobody,
`examiner-1` and `examiner-2`, review it blind through the very functions that people use; `reviewer-1` releases it.
Their decisions are a script's that knows who is who, and the case says so: it shows how a case looks, not how well
people decide.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pipelines.casework.case.case import Case
from pipelines.casework.exchange.export import export
from pipelines.casework.report.report import write_report
from pipelines.casework.review.review import Conclusion, Decision
from pipelines.casework.review.reviews import act, review_of
from pipelines.casework.searches.search import search
from pipelines.search.gallery import Gallery
from tgfr_search.errors import InputError
from tgfr_search.model.loaded import FaceTextModel

PERSONS, RELEASES = ("examiner-1", "examiner-2"), "reviewer-1"
CANDIDATES = 8
POPULATION = "people who do not exist"
PURPOSE = "Demonstration: nobody in this case exists"
BASIS = "none is needed to search for people who do not exist"
ANALYSIS = "Frontal, small and soft; shape of the face and hair line can be compared, skin and ears cannot."
NOTE = (
    "The decisions in this case are a script's that knows who is who. It has no likelihood ratios: the calibration "
    "that comes along is of photographs of people, which these are not. It shows how a case looks, nothing else."
)


@dataclass(frozen=True)
class DemoCase:
    """What was written.

    Attributes:
        case: Folder of the case.
        reports: HTML, and PDF where there is what prints it.
        exported: The zip that a stranger can check.
    """

    case: Path
    reports: tuple[Path, ...]
    exported: Path


def write_demo_case(
    demo: Path, index: Path, folder: Path, out: Path, *, model: FaceTextModel | None = None
) -> DemoCase:
    """Searches, reviews, releases and reports.

    Args:
        demo: Folder of a demo (`pipelines.tools.demo`).
        index: Its gallery, enrolled.
        folder: Of the case; new.
        out: Where report and export go.
        model: Of the index; None is the default.

    Raises:
        InputError: There is no demo, or something is where the case goes.
    """
    probe, subject, line = _probe(demo)
    case = Case.new(folder, purpose=PURPOSE, basis=BASIS, actor=PERSONS[0])
    evidence = case.add(probe, actor=PERSONS[0])
    gallery = Gallery.open(index, model=model)
    name, result = search(
        case, gallery, actor=PERSONS[0], evidence=evidence, lines=[line], origin="witness", top_k=CANDIDATES,
        population=POPULATION,
    )  # fmt: skip
    whose = {hit.row_id: hit.subject_id for hit in result}
    for person in PERSONS:
        _review(case, name, person, {row for row, owner in whose.items() if owner == subject})
    act(case, name, "release", actor=RELEASES)
    case.note(NOTE, actor=PERSONS[0])
    out.mkdir(parents=True, exist_ok=True)
    endings = ("html", "pdf") if find_spec("typst") else ("html",)
    reports = tuple(out / f"case-report.{ending}" for ending in endings)
    for report in reports:
        write_report(case, report, actor=RELEASES)
    exported = out / "case.zip"
    exported.unlink(missing_ok=True)
    export(case, exported, actor=RELEASES)
    return DemoCase(folder, reports, exported)


def _review(case: Case, search: str, person: str, same: set[int]) -> None:
    act(case, search, "begin", actor=person)
    act(case, search, "analyse", actor=person, text=ANALYSIS)
    review = review_of(case, search)
    assert review is not None
    for at in range(1, len(review.compared) + 1):
        label = f"C{at:02d}"
        review = review_of(case, search)
        assert review is not None
        made = Decision.SAME if review.row_to_show(person, label) in same else Decision.EXCLUDED
        act(case, search, "decide", actor=person, label=label, decision=made)
    act(case, search, "unmask", actor=person)
    conclusion = Conclusion.CANDIDATES if same else Conclusion.NONE
    act(case, search, "conclude", actor=person, conclusion=conclusion)


def _probe(demo: Path) -> tuple[Path, str, str]:
    """The first poor photo of a demo, whose it is, and what is said of it."""
    table = demo / "probes.csv"
    try:
        with table.open(encoding="utf-8", newline="") as file:
            row = next(row for row in csv.DictReader(file) if row["quality"] != "clean")
    except (OSError, StopIteration, KeyError) as error:
        raise InputError(f"{table}", found=str(error) or "no poor photo", expected="a demo", do="demo") from error
    return demo / row["image"], row["subject_id"], row["caption"]


def main() -> None:
    """As the module says."""
    parser = argparse.ArgumentParser(description=__doc__)
    arguments = (
        ("demo", "folder of a demo"),
        ("index", "its index"),
        ("case", "new folder"),
        ("out", "where reports go"),
    )
    for name, told in arguments:
        parser.add_argument(name, type=Path, help=told)
    given = parser.parse_args()
    made = write_demo_case(given.demo, given.index, given.case, given.out)
    print(f"a case of people who do not exist: {made.case}")
    print(f"its report: {', '.join(map(str, made.reports))}")
    print(f"its export: {made.exported} (unzip it, then: python verify.py .)")


if __name__ == "__main__":
    main()
