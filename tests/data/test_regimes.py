"""What is said of a probe and what a template is enrolled with, in every regime of docs/protocol.md 7."""

import numpy as np
import pytest

from tgfr_search.data.regimes import CONSTANT, REGIMES, Captions, assign
from tgfr_search.errors import InputError

# Four people: three, two, one and one images; the last image of p2 has no caption.
NAMES = ["a0", "a1", "a2", "b0", "b1", "c0", "d0"]
SUBJECTS = ["a", "a", "a", "b", "b", "c", "d"]
LINES = [tuple(f"{name} line {n}" for n in range(4)) for name in NAMES[:-1]] + [()]


def told(regime: str, seed: int = 0) -> Captions:
    return assign(regime, NAMES, SUBJECTS, LINES, seed)


@pytest.mark.parametrize(("regime", "count"), [("own", 1), ("own3", 3)])
def test_own_lines_are_the_probes_and_the_gallery_keeps_all(regime: str, count: int) -> None:
    said = told(regime)
    assert said.gallery == LINES
    for lines, own in zip(said.probe, LINES, strict=True):
        assert len(lines) == min(count, len(own))
        assert set(lines) <= set(own)
    assert said.absent == 1
    drawn = {told("own", seed).probe[0] for seed in range(30)}
    assert len(drawn) == 4, "any line may be drawn, not the first"


def test_a_draw_depends_on_the_image_alone() -> None:
    backwards = assign("own", NAMES[::-1], SUBJECTS[::-1], LINES[::-1], 0)
    assert backwards.probe[::-1] == told("own").probe


@pytest.mark.parametrize("seed", range(20))
def test_cross_describes_another_photo_of_the_person_and_never_the_first(seed: int) -> None:
    said = told("cross", seed)
    for at in (0, 1, 2, 3):
        source = int(said.described[at])
        assert source != at
        assert SUBJECTS[source] == SUBJECTS[at]
        assert source not in (0, 3), "the first image is the template of identification"
        (line,) = said.probe[at]
        assert line in LINES[source]
        assert line not in said.gallery[source]
    # b1's only other photo is the first; c and d have none.
    assert [said.probe[at] for at in (4, 5, 6)] == [(), (), ()]
    assert said.absent == 3
    assert (said.described[[4, 5, 6]] == -1).all()


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("one", ["cross", "wrong"])
def test_two_and_three_borrowed_lines_are_of_the_image_that_one_is_of(one: str, seed: int) -> None:
    single, two, three = told(one, seed), told(f"{one}2", seed), told(f"{one}3", seed)
    assert [lines[:2] for lines in three.probe] == two.probe
    assert (single.described == three.described).all()
    assert single.absent == three.absent
    enrolled = {line for lines in three.gallery for line in lines}
    for said, lines in zip(single.probe, three.probe, strict=True):
        assert len(lines) == len(set(lines)) == 3 * len(said)
        assert lines[: len(said)] == said, "the line of one is the first of three"
        assert len({line[:2] for line in lines}) == len(said), "of one image"
        assert not enrolled & set(lines)
    for lines, at in zip(three.probe, three.described, strict=True):
        assert at < 0 or {line[:2] for line in lines} == {NAMES[at]}


@pytest.mark.parametrize("seed", range(20))
def test_wrong_is_a_line_of_somebody_else_that_nobody_is_enrolled_with(seed: int) -> None:
    said = told("wrong", seed)
    enrolled = {line for lines in said.gallery for line in lines}
    for at, (line,) in enumerate(said.probe):
        owner = NAMES.index(line[:2])
        assert SUBJECTS[owner] != SUBJECTS[at]
        assert line not in enrolled


def test_paper_constant_and_none() -> None:
    paper = told("paper")
    assert all(len(lines) == 1 and lines[0] in own for lines, own in zip(paper.gallery[:-1], LINES, strict=False))
    assert told("constant").probe == told("constant").gallery == [(CONSTANT,)] * 7
    nothing = told("none")
    assert nothing.gallery == LINES
    assert nothing.probe == [()] * 7
    assert nothing.absent == 0


@pytest.mark.parametrize("regime", [name for name in REGIMES if not name.startswith("cross")])
def test_only_cross_describes_another_image(regime: str) -> None:
    assert (told(regime).described == -1).all()


def test_an_unknown_regime_is_refused() -> None:
    with pytest.raises(InputError, match="told"):
        told("told")


def test_a_described_photo_is_no_pair_of_its_probe() -> None:
    from tgfr_search.evaluation.pairs import score_pairs

    vectors = np.eye(4, dtype=np.float32)
    owner = np.array([0, 0, 0, 1])
    skip = np.array([-1, -1, 1, -1])
    assert len(score_pairs(vectors, vectors, owner).genuine) == 3
    left = score_pairs(vectors, vectors, owner, None, skip)
    assert len(left.genuine) == 2
    assert left.n_impostor == 3
