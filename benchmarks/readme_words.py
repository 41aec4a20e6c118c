"""The parts of docs/results.md and of cards that tell of words and evidence; `benchmarks.readme` puts them in place."""

from __future__ import annotations

from collections.abc import Iterator

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
    lines += [f"| {row} | {' | '.join(cells)} |" for row, cells in by_row.items()]
    lines += ["", "| held against what was asked before | asked | found at worst | where | met |", "|---" * 5 + "|"]
    for one in tree["verdict"]:
        met = "yes" if one["met"] else "no"
        lines.append(f"| {one['what']} | {one['asked']} | {one['found']:.3g} | {one['where']} | {met} |")
    yield "\n".join(lines)
