"""What words said, what faces show, and what to ask next, as codes that pages put in the language of who reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from pipelines.search.answers.ask import Question, questions_of
from pipelines.search.answers.card import SURE
from pipelines.search.answers.understood import HEDGED
from tgfr_search.errors import InputError
from tgfr_search.types import SearchHit

IS, IS_NOT, PERHAPS, PERHAPS_NOT = "is", "is not", "perhaps", "perhaps not"
MOST = 8
"""Attributes of a face that are told."""
_FIELDS = {each.name for each in fields(SearchHit)}


def understood(description: Mapping[str, Any] | None) -> dict[str, Any]:
    """What of a description was understood.

    Returns:
        `says`: (how, attribute), each once; `clashes`, `unread` and `names`, as the reading tells them; empty of none.
    """
    if description is None:
        return {}
    says: dict[tuple[str, str], None] = {}
    for said in description["statements"]:
        if said["sure"]:
            how = (IS, IS_NOT) if said["sure"] >= HEDGED else (PERHAPS, PERHAPS_NOT)
            says.setdefault((how[0 if said["holds"] else 1], said["attribute"]))
    return {"says": list(says), **{name: description.get(name, []) for name in ("clashes", "unread", "names")}}


def card(attributes: Mapping[str, float] | None) -> list[tuple[str, float]]:
    """What a face surely shows, the surest first: (attribute, probability)."""
    sure = [(name, p) for name, p in (attributes or {}).items() if p >= SURE]
    return sorted(sure, key=lambda own: (-own[1], own[0]))[:MOST]


def next_question(hits: Sequence[Mapping[str, Any]], description: Mapping[str, Any] | None) -> Question | None:
    """What the witness should be asked next to tell these candidates apart; None where nothing can be said of it.

    Args:
        hits: Candidates as a kept answer has them.
        description: As it has it.
    """
    known = [SearchHit(**{name: value for name, value in hit.items() if name in _FIELDS}) for hit in hits]
    try:
        found = questions_of(known, description)
    except InputError:
        return None
    return found[0] if found else None
