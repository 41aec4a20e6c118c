"""How examiners decide, kept apart from the cases: foils taken for the person sought, decisions, agreement.

Each review is a file in a folder of the laboratory, named by a digest of case and search, which says nothing to who
does not have the case: it holds accounts and counts, no candidate, no row, no case. It is written when a person's work
ends, whole, from the review: counting the same review again gives the same file, and never counts twice. Counts are of
what was decided blind; what was revised after unmasking is counted apart.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.casework.case.case import Case
from pipelines.casework.review.review import Review
from pipelines.casework.review.reviews import review_of
from pipelines.casework.review.terms import Decision
from tgfr_search.audit.entries import Act, canonical
from tgfr_search.errors import InputError
from tgfr_search.files import replacing

FORMAT = 1
CONFIDENCE = 0.95
_FILE = re.compile(r"[0-9a-f]{64}\.json")
NO_OPINION = (Decision.INCONCLUSIVE, Decision.NOT_SUITABLE)
"""Decisions that say neither that it is the same person nor that it is another one."""


@dataclass(frozen=True)
class Rate:
    """A count out of others, with a Clopper–Pearson interval at 95 %.

    Attributes:
        count: How often.
        of: Out of how many.
        low: Lower end; None out of none, as `high`.
        high: Upper end.
    """

    count: int
    of: int
    low: float | None
    high: float | None

    @staticmethod
    def exact(count: int, of: int) -> Rate:
        """The rate with its interval."""
        if not of:
            return Rate(count, of, None, None)
        from scipy.stats import binomtest  # half a second, for those who ask

        found = binomtest(count, of).proportion_ci(CONFIDENCE, method="exact")
        return Rate(count, of, round(float(found.low), 6), round(float(found.high), 6))


@dataclass(frozen=True)
class Examiner:
    """How one account decides.

    Attributes:
        name: The account.
        reviews: In which it finished its work.
        unsuitable: Of these, ended by a probe that did not serve.
        decisions: Decision → how often on candidates, blind.
        revised: Decisions changed after unmasking.
        foils_same: Foils taken for the person sought, of all foils: the false positives.
        foils_different: Foils excluded, or that support for different was found for.
        foils_undecided: Foils on which nothing was said.
        agreed: Reviews in which first and second person came to one result, of those with both.
        decided_alike: Decisions of both of these on one candidate that are the same.
    """

    name: str
    reviews: int
    unsuitable: int
    decisions: dict[str, int]
    revised: int
    foils_same: Rate
    foils_different: Rate
    foils_undecided: Rate
    agreed: Rate
    decided_alike: Rate


def count_work(folder: Path, case: Case, search: str, review: Review) -> None:
    """Writes what is to be counted of a review, once a person has finished; the file of before is replaced.

    Args:
        folder: Of the statistics; made where it is not there.
        case: The case.
        search: Name of the search.
        review: Its review, as it stands.

    Raises:
        InputError: The folder cannot be written. The review is kept all the same, and can be counted later.
    """
    work = review.work()
    if not work:
        return
    name = hashlib.sha256(f"{case.id}/{search}".encode()).hexdigest()
    if not case.lab.foil_where:  # of before they had to be declared: perhaps not strangers, so nobody was wrong
        work = [{**each, "foils": {}} for each in work]
    data = canonical({"format": FORMAT, "persons": [_counted(work, at, review.agree) for at in range(len(work))]})
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with replacing(folder / f"{name}.json") as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise InputError(
            f"{folder}", found=error.strerror or str(error), expected="a folder that statistics can be written to",
            do="the act is kept; count it later: tgfr-search examiner stats --from CASE",
        ) from error  # fmt: skip


def count_case(folder: Path, case: Case) -> int:
    """Counts all reviews of a case, also of one that was imported; returns in how many somebody has finished."""
    counted = 0
    names = [entry["details"]["file"] for entry in case.entries() if entry["act"] == Act.SEARCH]
    for search in (name.removeprefix("searches/").removesuffix(".json") for name in names):
        review = review_of(case, search) if case.read_search(search)["result"]["candidates"] else None
        if review is not None and review.work():
            count_work(folder, case, search, review)
            counted += 1
    return counted


def examiners(folder: Path) -> list[Examiner]:
    """How each account decides, by name.

    Raises:
        InputError: There is no such folder, or a file in it is not as it was written.
    """
    if not folder.is_dir():
        do = "give the folder that `case decide --statistics` or the service writes to"
        raise InputError(f"{folder}", found="no folder", expected="statistics of examiners", do=do)
    told: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(folder.iterdir()):
        if _FILE.fullmatch(path.name):
            for person in _persons(path):
                told.setdefault(person["actor"], []).append(person)
    return [_examiner(name, told[name]) for name in sorted(told)]


def _counted(work: list[dict[str, Any]], at: int, agree: bool | None) -> dict[str, Any]:
    own = work[at]
    alike, both = 0, 0
    if at < 2 and len(work) > 1:
        other = work[1 - at]["decisions"]
        both = len(own["decisions"].keys() & other.keys())
        alike = sum(other.get(row) is made for row, made in own["decisions"].items())
    return {
        "actor": own["actor"],
        "suitable": own["suitable"],
        "decisions": _counts(own["decisions"].values()),
        "foils": _counts(own["foils"].values()),
        "revised": own["revised"],
        "agreed": agree if at < 2 else None,
        "alike": alike,
        "both": both,
    }


def _counts(made: Iterable[Decision]) -> dict[str, int]:
    return {str(name): count for name, count in sorted(Counter(made).items())}


def _persons(path: Path) -> list[dict[str, Any]]:
    try:
        told = json.loads(path.read_bytes())
        whole = told["format"] == FORMAT and all(isinstance(each["actor"], str) for each in told["persons"])
    except (OSError, ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        do = "remove it, and count its case again: tgfr-search examiner stats --from CASE"
        raise InputError(f"{path}", found="other content", expected="counts of a review, as they were written", do=do)
    return list(told["persons"])


def _examiner(name: str, told: list[dict[str, Any]]) -> Examiner:
    decisions, foils = Counter[str](), Counter[str]()
    for each in told:
        decisions.update(each["decisions"])
        foils.update(each["foils"])
    undecided = sum(foils[str(each)] for each in NO_OPINION)
    same, all_ = foils[str(Decision.SAME)], foils.total()
    with_two = [each["agreed"] for each in told if each["agreed"] is not None]
    return Examiner(
        name=name,
        reviews=len(told),
        unsuitable=sum(not each["suitable"] for each in told),
        decisions={str(each): decisions[str(each)] for each in Decision},
        revised=sum(each["revised"] for each in told),
        foils_same=Rate.exact(same, all_),
        foils_different=Rate.exact(all_ - same - undecided, all_),
        foils_undecided=Rate.exact(undecided, all_),
        agreed=Rate.exact(sum(with_two), len(with_two)),
        decided_alike=Rate.exact(sum(each["alike"] for each in told), sum(each["both"] for each in told)),
    )
