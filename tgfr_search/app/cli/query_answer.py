"""The answer of `query` as a person reads it on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tgfr_search.app.cli import console
from tgfr_search.app.cli.explain import show_explained
from tgfr_search.visible import cut_words

if TYPE_CHECKING:
    from pipelines.search.explain.explained import Explained
    from tgfr_search.types import QueryResult, SearchHit

CAPTION_SHOWN = 60
"""Characters of an enrolled caption on a terminal; a pipe and `--json` get all of it."""
STRONGEST = 2
"""Blocks named as the reason of a score."""
SHOWN_PEOPLE = 10
"""People of a video on a terminal; `--json` has all."""
SHOWN = 3
"""Candidates of each of several pictures on a terminal; `--json` has all."""
LEAST = 0.005
"""A smaller difference shows as zero."""


def show_answer(result: QueryResult, blocks: bool, explained: Explained | None) -> None:
    """Candidates on standard output, all that is to be known beside them on standard error.

    Args:
        result: Of the query.
        blocks: Whether each block has a column.
        explained: Why the first candidates have their scores, where it was asked for.
    """
    _show(result, blocks)
    for picture in result.probe.get("pictures", ()):
        firsts = ", ".join(f"{hit['subject_id']} {hit['score']:.3f}" for hit in picture["candidates"][:SHOWN])
        console.say(f"{picture['picture']} alone: {firsts or picture['error']['detail']}")
    if explained is not None:
        show_explained(explained)
    _show_understood(result)
    for track in result.probe.get("video", {}).get("tracks", ())[:SHOWN_PEOPLE]:
        span = f"{track['first_seconds']:.1f}–{track['last_seconds']:.1f} s"
        used = ", searched with" if track["chosen"] else ""
        console.say(f"face {track['number']}: in {track['frames']} of the frames looked at, {span}{used}", err=True)
    for note in result.notes:
        console.say(f"note: {note}", err=True)
    if result.calibration is not None:
        for line in result.calibration["propositions"]:
            console.say(line, err=True)
        console.say("strangers: how many would reach this score if all who were searched were strangers", err=True)
    console.say("why: the parts of the score that differ most from the mean of the candidates shown", err=True)
    console.say(f"timing ms: {' '.join(f'{k} {v:.1f}' for k, v in result.timing_ms.items())}", err=True)
    console.say(result.notice, err=True)


def _show(result: QueryResult, blocks: bool) -> None:
    """Who, how sure, why: the score is never squeezed, and its parts are told by name where they are not asked for."""
    import sys

    from tgfr_search.forensic.statement import lr_text

    terminal = sys.stdout.isatty()
    first = result.candidates[0].blocks if result.candidates else {}
    names = list(first) if blocks else []
    worth = result.calibration is not None
    mean = {name: sum(hit.blocks[name] for hit in result.candidates) / len(result.candidates) for name in first}
    rows = [
        [
            str(hit.rank),
            hit.subject_id,
            f"{hit.score:.3f}",
            *(f"{hit.blocks[name]:.3f}" for name in names),
            *((lr_text(hit.lr), _strangers(hit)) if worth else ()),
            _why(hit, mean),
            hit.image,
            _caption(hit, terminal),
        ]
        for hit in result.candidates
    ]
    title = f"{result.mode} search" + (f" where {result.where}" if result.where else "")
    heads = ["rank", "score", "subject"] if terminal else ["rank", "subject", "score"]
    if terminal:  # what must not be squeezed comes first; a long subject is folded, never cut
        rows = [[rank, score, subject, *rest] for rank, subject, score, *rest in rows]
    console.table(
        title,
        [*heads, *names, *(["log10 LR", "strangers"] if worth else []), "why", "image", "caption"],
        rows,
        key=2 if terminal else 3,
    )


def _show_understood(result: QueryResult) -> None:
    """What of the words was read, and which words were not."""
    from pipelines.search.answers.understood import understood_text, unread_text

    if result.description is not None:
        console.say(f"understood: {understood_text(result.description) or 'nothing'}", err=True)
        if unread := unread_text(result.description):
            console.say(f"not understood: {unread}", err=True)


def _strangers(hit: SearchHit) -> str:
    expected = hit.expected_strangers
    return "" if expected is None else f"{expected:.2g}" if expected >= 0.01 else "< 0.01"


def _why(hit: SearchHit, mean: dict[str, float]) -> str:
    """The blocks in which this candidate differs most from the mean of those shown."""
    apart = [(name, value - mean[name]) for name, value in hit.blocks.items()]
    ranked = sorted(apart, key=lambda block: -abs(block[1]))[:STRONGEST]
    return ", ".join(f"{name} {value:+.2f}" for name, value in ranked if abs(value) >= LEAST) or "–"


def _caption(hit: SearchHit, terminal: bool) -> str:
    caption = cut_words(hit.caption, CAPTION_SHOWN) if terminal else hit.caption
    return ("[machine-made] " if hit.auto_caption else "") + caption
