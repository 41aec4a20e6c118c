"""Who plays which role, and figures within a group: worked out by hand on people whose scores are known."""

from __future__ import annotations

import numpy as np
import pytest

from tgfr_search.errors import InputError
from tgfr_search.evaluation.groups import MIN_SUBJECTS, group_figures, group_members
from tgfr_search.evaluation.protocol import one_set, two_sets


def test_the_first_photo_is_enrolled_and_every_other_is_searched() -> None:
    roles = one_set(np.array([7, 3, 7, 3, 3, 9]), seed=1)
    assert roles.probe_subjects.tolist() == [1, 0, 1, 0, 0, 2]
    assert roles.gallery.tolist() == [1, 0, 5]  # by subject: 3, 7, 9
    assert roles.searches.tolist() == [2, 3, 4]
    assert roles.subject_count == 3
    out = set(roles.probe_subjects[roles.nonmated].tolist())
    assert len(out) == 1  # half of three
    assert not out & set(roles.template_subjects[roles.open_gallery].tolist())
    assert not out & set(roles.probe_subjects[roles.mated].tolist())
    assert len(roles.open_gallery) == 2
    # Every image but a first one of somebody who stays is in the open set: mated, or nonmated whichever it is.
    assert sorted([*roles.open_gallery, *roles.mated, *roles.nonmated]) == list(range(6))


def test_the_split_follows_the_seed_alone() -> None:
    subjects = np.repeat(np.arange(40), 2)
    same = [one_set(subjects, seed).nonmated.tolist() for seed in (0, 0, 1)]
    assert same[0] == same[1] != same[2]


def test_strangers_are_the_open_set_where_there_are_any() -> None:
    roles = two_sets(np.array([0, 1, 2, 2]), np.array([0, 1, 1]), seed=0)
    assert roles.gallery.tolist() == roles.open_gallery.tolist() == [0, 1, 2]
    assert roles.searches.tolist() == roles.mated.tolist() == [0, 1]
    assert roles.nonmated.tolist() == [2, 3]


def test_without_strangers_half_of_the_people_are_left_out() -> None:
    subjects = np.arange(10)
    roles = two_sets(subjects, np.repeat(subjects, 2), seed=0)
    assert len(roles.gallery) == 20
    assert len(roles.searches) == 10
    out = set(roles.nonmated.tolist())
    assert len(out) == 5
    assert set(roles.mated.tolist()) == set(range(10)) - out
    assert set(roles.template_subjects[roles.open_gallery].tolist()) == set(range(10)) - out


def test_a_groups_probes_meet_the_whole_gallery() -> None:
    roles = one_set(np.repeat(np.arange(4), 2), seed=0)
    own = roles.restricted(np.array([0, 1, 7]))
    assert own.searches.tolist() == [1, 7]
    assert own.gallery.tolist() == roles.gallery.tolist()
    assert set(own.mated) | set(own.nonmated) <= {0, 1, 7}


def test_members_of_each_value_and_a_column_that_is_not_there() -> None:
    rows = [{"male": True}, {"male": None}, {"male": False}, {"male": True}, {}]
    assert [(value, members.tolist()) for value, members in group_members(rows, "male")] == [
        ("False", [2]), ("True", [0, 3]),
    ]  # fmt: skip
    with pytest.raises(InputError, match="'age'; found: no such column; expected: one of: male"):
        group_members(rows, "age")


def people(count: int, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Two photos of each, of one unit vector each, the second one turned a little; and whose they are."""
    rng = np.random.default_rng(0)
    codes = np.repeat(np.eye(count, dtype=np.float32), 2, axis=0)
    codes[1::2] += noise * rng.standard_normal((count, count)).astype(np.float32)
    return codes / np.linalg.norm(codes, axis=1, keepdims=True), np.repeat(np.arange(count), 2)


def test_a_group_of_few_is_named_and_not_measured() -> None:
    codes, subjects = people(30)
    members = np.arange(2 * (MIN_SUBJECTS - 1))
    found = list(group_figures(codes, codes, one_set(subjects, 0), members, np.ones((5, 30), np.float32)))
    assert [key for key, _, _ in found] == [("eer", None), ("tar_at_far", 1e-3), ("rank", 1)]
    for _, interval, counts in found:
        assert interval.value is None
        assert interval.reason == "19 subjects, fewer than 20"
        assert counts == {"n_probes": 38}


def test_impostors_are_of_the_group_and_the_gallery_is_everybody() -> None:
    codes, subjects = people(60)
    roles, members = one_set(subjects, 0), np.arange(2 * 40)
    weights = np.ones((3, 60), np.float32)
    eer, tar, rank = group_figures(codes, codes, roles, members, weights)
    counts = {"n_genuine": 40, "n_impostor": 80 * 79 // 2 - 40, "n_probes": 40, "n_gallery": 60}
    assert eer[2] == tar[2] == rank[2] == counts
    assert eer[1].value == 0.0
    assert rank[1].value == 1.0
    assert tar[1].value is None, "3,120 impostor pairs expect fewer than ten false accepts at 1e-3"
    # Somebody outside the group who looks like one of it costs that one its rank, and is none of its impostors.
    codes[2 * 59] = codes[1]
    eer, _, rank = group_figures(codes, codes, roles, members, weights)
    assert eer[1].value == 0.0
    assert rank[1].value == pytest.approx(39 / 40)
