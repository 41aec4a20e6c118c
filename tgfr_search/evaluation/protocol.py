"""Who plays which role: gallery, mated and nonmated probes, verification pairs (docs/protocol.md 2, 4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tgfr_search.evaluation.pairs import Ints

PROTOCOL_VERSION = "1"
LEFT_OUT_SHARE = 0.5


@dataclass(frozen=True)
class Roles:
    """The roles of P probe images and G template images; subjects are numbered 0 … S−1 over both.

    Attributes:
        probe_subjects: int64 [P].
        template_subjects: int64 [G].
        one_set: Probe i and template i are one image (verification then uses each pair of images once).
        gallery: Template rows of the closed-set gallery.
        searches: Probe rows that are searched in it.
        open_gallery: Template rows of the open-set gallery.
        mated: Probe rows whose subject is in it.
        nonmated: Probe rows whose subject is not.
    """

    probe_subjects: Ints
    template_subjects: Ints
    one_set: bool
    gallery: Ints
    searches: Ints
    open_gallery: Ints
    mated: Ints
    nonmated: Ints

    @property
    def subject_count(self) -> int:
        """S."""
        return 1 + int(max(self.probe_subjects.max(), self.template_subjects.max()))

    def restricted(self, members: Ints) -> Roles:
        """The same protocol for the probes in `members` only (a group); the gallery stays whole."""
        return Roles(
            self.probe_subjects,
            self.template_subjects,
            self.one_set,
            self.gallery,
            np.intersect1d(self.searches, members),
            self.open_gallery,
            np.intersect1d(self.mated, members),
            np.intersect1d(self.nonmated, members),
        )


def one_set(subjects: Ints, seed: int) -> Roles:
    """Roles within one labelled set whose images are ordered by file name.

    Closed set: the first image of every subject is the gallery, all other images are searched. Open set: a seeded half
    of the subjects is left out of the gallery; every image of theirs is a nonmated probe.

    Args:
        subjects: int64 [N].
        seed: Of the open-set split.
    """
    numbers = np.unique(subjects, return_inverse=True)[1].astype(np.int64)
    first = np.unique(numbers, return_index=True)[1].astype(np.int64)
    rest = np.setdiff1d(np.arange(len(numbers)), first)
    count = len(first)
    left_out = np.zeros(count, bool)
    left_out[np.random.default_rng([seed, 4]).permutation(count)[: int(count * LEFT_OUT_SHARE)]] = True
    out = left_out[numbers]
    return Roles(
        numbers, numbers, True, first, rest, first[~out[first]], rest[~out[rest]], np.flatnonzero(out).astype(np.int64)
    )


def two_sets(probe_subjects: Ints, template_subjects: Ints, seed: int) -> Roles:
    """Roles of probes against a gallery of other images.

    Every template is enrolled. Probes whose subject is not enrolled are the nonmated searches; where there is none, a
    seeded half of the subjects is left out of the open-set gallery, as `one_set` does.

    Args:
        probe_subjects: int64 [P], numbered 0 … S−1 over both sides.
        template_subjects: int64 [G].
        seed: Of the open-set split.
    """
    enrolled = np.isin(probe_subjects, template_subjects)
    searches = np.flatnonzero(enrolled).astype(np.int64)
    gallery = np.arange(len(template_subjects), dtype=np.int64)
    if not enrolled.all():
        return Roles(
            probe_subjects, template_subjects, False, gallery, searches, gallery, searches, np.flatnonzero(~enrolled)
        )
    everyone = np.unique(template_subjects)
    left_out = np.random.default_rng([seed, 4]).permutation(everyone)[: int(len(everyone) * LEFT_OUT_SHARE)]
    out = np.isin(probe_subjects, left_out)
    return Roles(
        probe_subjects,
        template_subjects,
        False,
        gallery,
        searches,
        np.flatnonzero(~np.isin(template_subjects, left_out)).astype(np.int64),
        np.flatnonzero(~out).astype(np.int64),
        np.flatnonzero(out).astype(np.int64),
    )
