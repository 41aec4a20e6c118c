from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tgfr_search.data.captions import ATTRIBUTES, caption_lines

tables = st.dictionaries(st.sampled_from(ATTRIBUTES), st.booleans())


def facts_of(line: str) -> set[str]:
    """What a line says, as bare phrases: "She has bangs and is young." → {bangs, young}."""
    said = set()
    for sentence in line.split("."):
        phrase = re.sub(r"^\s*(This|The|She|He)\s*", "", sentence)
        said |= {word for word in ("young", "attractive", "smiling") if re.match(rf"{word} (man|woman|person)", phrase)}
        phrase = re.sub(r"\b(young|attractive|smiling)? ?(man|woman|person)\b", "", phrase)
        parts = re.split(r",| and |\bhas\b|\bis wearing\b|\bwears\b|\bis\b", phrase)
        said |= {part.strip() for part in parts if part.strip()}
    return said


def phrase_of(name: str) -> str:
    known = {"5_o_clock_shadow": "5 o'clock shadow", "blurry": "blurry"}
    return known.get(name, name.replace("wearing_", "").replace("_", " "))


def test_there_are_the_40_attributes_of_celeba() -> None:
    assert len(ATTRIBUTES) == 40
    assert {"male", "no_beard", "5_o_clock_shadow", "wearing_necktie", "blurry"} < set(ATTRIBUTES)


@pytest.mark.parametrize("name", sorted(set(ATTRIBUTES) - {"male", "no_beard"}))
def test_every_attribute_is_named_when_it_alone_is_true(name: str) -> None:
    text = " ".join(caption_lines({name: True}, lines=3))
    assert phrase_of(name) in text.replace("The photo is blurry", "blurry")


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(tables, st.integers(0, 2**32))
def test_only_what_is_true_is_said(table: dict[str, bool], seed: int) -> None:
    true = {phrase_of(name) for name, holds in table.items() if holds}
    if table.get("male") and table.get("no_beard") is False:
        true.add("beard")
    for line in caption_lines(table, seed=seed):
        assert facts_of(line.replace("The photo is", "is")) <= true | {"in the photo"}, line
        sexes = set(re.findall(r"\b(man|woman|He|She)\b", line))
        assert sexes <= {True: {"man", "He"}, False: {"woman", "She"}, None: set()}[table.get("male")]


@settings(max_examples=50, deadline=None)
@given(tables, st.integers(0, 2**32))
def test_lines_are_distinct_and_repeatable(table: dict[str, bool], seed: int) -> None:
    lines = caption_lines(table, lines=6, seed=seed)
    assert 1 <= len(lines) <= 6
    assert len(set(lines)) == len(lines)
    assert lines == caption_lines(table, lines=6, seed=seed)


def test_every_true_attribute_is_named_before_long() -> None:
    table = dict.fromkeys(ATTRIBUTES, True) | {"bald": False, "no_beard": False}
    text = " ".join(caption_lines(table, lines=16, facts=(3, 5)))
    for name in set(ATTRIBUTES) - {"male", "bald", "no_beard"}:
        assert phrase_of(name) in text
    assert "beard" in text


def test_a_woman_is_not_told_to_have_no_beard() -> None:
    assert "beard" not in " ".join(caption_lines({"male": False, "no_beard": True, "young": True}))
    assert "no beard" in " ".join(caption_lines({"male": True, "no_beard": True, "young": True}))


def test_seeds_give_different_lines() -> None:
    table = {"male": False, "young": True, "smiling": True, "wavy_hair": True, "brown_hair": True, "bangs": True}
    assert len({caption_lines(table, seed=seed) for seed in range(8)}) == 8


@pytest.mark.parametrize(
    ("table", "options"),
    [({"glasses": True}, {}), ({}, {"lines": 0}), ({}, {"facts": (0, 2)}), ({}, {"facts": (3, 2)})],
)
def test_bad_arguments_are_refused(table: dict[str, bool], options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="found"):
        caption_lines(table, **options)  # type: ignore[arg-type]
