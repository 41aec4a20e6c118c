"""The parts of docs/results.md and of cards that tell of words and evidence; `benchmarks.readme` puts them in place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.results import read_result
from tgfr_search.evaluation.report.reading import points


def words() -> Iterator[str]:
    """What descriptions find among faces that nobody described."""
    tree = read_result("attribute_search")
    if tree is None:
        return
    data = tree["data"]
    lines = [
        f"**Attribute search**, {tree['split']} split: descriptions in people's phrasings, of {data['images']:,} faces "
        f"of {data['subjects']:,} people that nobody described. (P − chance) / (1 − chance) of the first "
        f"{tree['first']}, by `{tree['model_id']}`: P is the share as described, of a denial the share without, chance "
        f"that of the described sex. `{tree['command']}`; each one in `benchmarks/results/attribute_search.md`.",
        "",
        "| search | descriptions | mean | worse than chance |",
        "|---|---|---|---|",
    ]
    for name, own in tree["searches"].items():
        for kind, rows in own["figures"].items():
            value, low, high = own["means"][kind]
            worse = f"{own['means'][f'{kind}_worse']} of {len(rows)}"
            lines.append(f"| {name} | {kind} | {value:.2f} ({low:.2f} to {high:.2f}) | {worse} |")
    yield "\n".join(lines)


def people_words() -> Iterator[str]:
    """What people's own descriptions add to a picture."""
    tree = read_result("people_words")
    if tree is None:
        return
    lines = [
        f"**Words of people**, {tree['split']} split: {tree['probes']} pictures of {tree['subjects']} people with the "
        f"descriptions that people wrote of them, against another picture each of {tree['gallery']} people. Rank of "
        f"picture and words less that of the picture alone, points, mean of the degraded levels. `{tree['command']}`",
        "",
        "| gallery | words | Rank-1 | Rank-10 |",
        "|---|---|---|---|",
    ]
    for lines_kept, own in tree["figures"].items():
        for words, title in (("human", "their own"), ("wrong", "another person's")):
            cells = (own[rank][f"degraded, {words} − none"] for rank in ("rank_1", "rank_10"))
            told = [f"{points(value)} ({points(low)} to {points(high)})" for value, low, high in cells]
            lines.append(f"| {lines_kept} | {title} | {' | '.join(told)} |")
    yield "\n".join(lines)


CEILING_ROWS = {
    "own": "one line of the picture itself",
    "own3": "three lines of it",
    "cross": "one line of another picture",
    "cross3": "three lines of that",
    "wrong": "one line of somebody else",
}
"""What is said, and how a row is called."""
NOT_SHOWN = (("attributes", "cross"), ("attributes", "cross3"), ("shown", "cross"), ("shown", "cross3"))
"""(on record, what is said) that is in the result file alone."""


def ceiling() -> Iterator[str]:
    """What words are worth at most, and where a goal lies above that."""
    tree = read_result("word_ceiling")
    if tree is None:
        return
    beside, levels = tree["picture_and_words"], ("poor", "bad", "very_bad")
    told = ", ".join(f"{100 * beside['picture'][level][0]:.1f}" for level in levels)
    lines = [
        f"**What words are worth at most**, {tree['split']} split, {tree['data']['searches']:,} searches, by "
        f"`{tree['model_id']}`: Rank-1 of picture and words less that of the picture alone ({told} at poor, bad, very "
        "bad), points with 95 % intervals. A reading that misses nothing, and the 40 true attributes, are compared "
        "with what is on record by scores learnt on train, and weighed a level on the other half of "
        f"the people, which no search can have. Goals are over the control. `{tree['command']}`",
        "",
        "| what is said | on record | by what | poor | bad | very bad | goal |",
        "|---" * 7 + "|",
    ]
    for record, title in _RECORDS.items():
        for regime, said in ((one, said) for one, said in CEILING_ROWS.items() if (record, one) not in NOT_SHOWN):
            goal = tree["asked"]["beside"].get(regime if record == "lines" else f"{regime}, no lines", [None] * 3)
            asked = " · ".join("–" if one is None else f"{one:+g}".replace("-", "−") for one in goal if any(goal))
            for name, own in beside[record][regime].items():
                cells = (f"{points(own[at][0])} ({points(own[at][1])} to {points(own[at][2])})" for at in levels)
                lines.append(f"| {said} | {title} | {_BY.get(name, name)} | {' | '.join(cells)} | {asked} |")
    yield "\n".join(lines)
    yield "\n".join(_words_alone(tree))


_RECORDS = {"lines": "all lines", "attributes": "true attributes, no lines", "shown": "what its row shows, no lines"}
_BY = {
    "one line": "a reading that misses nothing",
    "three lines": "a reading that misses nothing",
    "attributes": "true attributes of that picture",
    "default": "the default",
    "the reader's block": "the default's reader, weighed a level",
}


def _words_alone(tree: Mapping[str, Any]) -> Iterator[str]:
    yield "| words alone | on record | by what | Rank-1 | Rank-10 | goal |"
    yield "|---" * 6 + "|"
    for record, title in _RECORDS.items():
        goal = tree["asked"]["alone"]["lines" if record == "lines" else "no lines"]
        for regime, said in (("own", "one line"), ("own3", "three lines")):
            asked = f"{goal[0]} / {goal[1]}" if regime == "own" else ""
            for name, own in tree["words_alone"][record][regime].items():
                cells = (own[rank] for rank in ("rank_1", "rank_10"))
                shown = " | ".join(f"{100 * v:.1f} ({100 * low:.1f}–{100 * high:.1f})" for v, low, high in cells)
                yield f"| {said} | {title} | {_BY.get(name, name)} | {shown} | {asked} |"


def evidence() -> Iterator[str]:
    """What the default's scores are worth, and what was asked of them."""
    tree = read_result("validation")
    if tree is None:
        return
    levels = list(dict.fromkeys(cell["level"] for cell in tree["cells"]))
    lines = [
        f"**What a score is worth**, {tree['data']['split']} split, {tree['people']} people: Cllr with its 95 % "
        f"interval over people, of the calibration that comes along, fitted on other people. `{tree['command']}`",
        "",
        f"| searched with | {' | '.join(level.replace('_', ' ') for level in levels)} |",
        "|---" * (1 + len(levels)) + "|",
    ]
    by_row: dict[str, list[str]] = {}
    for cell in tree["cells"]:
        said = {0: "the picture", 1: "and one line about another photo"}
        row = said.get(cell["lines"], f"and {cell['lines']} lines about another photo")
        told = f"{cell['cllr']:.3f} ({cell['cllr_low']:.3f}–{cell['cllr_high']:.3f})"
        by_row.setdefault(row, []).append(told)
    least = [f"{cell['cllr_min']:.3f}" for cell in tree["cells"] if cell["mode"] == "image"]
    by_row["the picture, if these scores were calibrated at best (Cllr_min)"] = least
    lines += [f"| {row} | {' | '.join(cells)} |" for row, cells in by_row.items()]
    lines += ["", "| held against what was asked before | asked | found at worst | where | met |", "|---" * 5 + "|"]
    for one in tree["verdict"]:
        met = "yes" if one["met"] else "no"
        lines.append(f"| {one['what']} | {one['asked']} | {one['found']:.3g} | {one['where']} | {met} |")
    yield "\n".join(lines)
