"""What a data set holds, counted before anything is done with it: images, subjects, splits, captions, what is wrong."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tgfr_search.data.layouts.registry import find_layout
from tgfr_search.data.records import captions_in, read_records
from tgfr_search.data.rows import Problem
from tgfr_search.data.surveyed import CaptionCounts, Part, Spread, Survey
from tgfr_search.errors import FaceError, NothingUsableError, Reason
from tgfr_search.faces.decode import read_bytes
from tgfr_search.types import Record

NAMED = 20
"""Problems and duplicates that are named; all are counted."""
LINES_A_BATCH = 1024
NO_SPLIT = "(none)"
UNKNOWN_TERMS = "not told: ask whoever the data are from"

LineLengths = Callable[[Sequence[str]], tuple[list[int], int]]
"""Lines → (tokens of each, at most as many as the encoder reads; how many lines were cut)."""


@dataclass(slots=True)
class _Tally:
    """What is kept of the images of a stream: no pixels."""

    subjects: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    captioned: Counter[str] = field(default_factory=Counter)
    lines: Counter[str] = field(default_factory=Counter)
    lines_per_image: list[int] = field(default_factory=list)
    first: dict[bytes, tuple[str, str]] = field(default_factory=dict)
    repeats: list[str] = field(default_factory=list)
    two_owners: int = 0

    def add(self, record: Record, data: bytes) -> None:
        split, subject = record.split or NO_SPLIT, str(record.subject_id)
        self.subjects[split][subject] += 1
        self.captioned[split] += bool(record.captions)
        self.lines.update(record.captions)
        if record.captions:
            self.lines_per_image.append(len(record.captions))
        name, owner = self.first.setdefault(hashlib.sha256(data).digest(), (record.name, subject))
        if name != record.name:
            other = "" if owner == subject else f", under subject {subject} and not {owner}"
            self.two_owners += owner != subject
            self.repeats.append(f"{record.name} is {name}{other}")


def survey(
    source: Path,
    *,
    captions: Path | None = None,
    split: str | None = None,
    subject_level: int | None = None,
    text_encoder: str,
    reads: int,
    lengths: LineLengths,
    on_image: Callable[[Record, bytes], None] | None = None,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Survey:
    """Counts a data set of any form that `index` takes. Every image file is read once, none is decoded.

    Args:
        source: The data set.
        captions: Captions table of a folder.
        split: Look at this split only.
        subject_level: Of a folder; see `read_records`.
        text_encoder: Name of the text encoder whose tokens are counted.
        reads: The most tokens it reads.
        lengths: Counts its tokens.
        on_image: Called with every usable image and its bytes (thumbnails).
        progress: Called as the work goes on.

    Raises:
        InputError: As `read_records`.
        NothingUsableError: There is no usable image.
    """
    problems: list[Problem] = []
    records = read_records(
        source, captions=captions, split=split, subject_level=subject_level, on_problem=problems.append
    )
    tally = _Tally()
    for at, record, data in _readable(records, problems):
        tally.add(record, data)
        if on_image is not None:
            on_image(record, data)
        progress("images read", at, records.estimate)
    counted = Counter(problem.reason.value for problem in problems)
    if not tally.subjects:
        found = ", ".join(f"{count} {reason}" for reason, count in counted.items())
        raise NothingUsableError(str(source), found=found or "no image", expected="images, each with a subject")
    every = sum(tally.subjects.values(), Counter[str]())
    return Survey(
        str(source),
        *form_of(source, captions),
        split,
        total=_part(every, sum(tally.captioned.values())),
        splits={name: _part(own, tally.captioned[name]) for name, own in sorted(tally.subjects.items())},
        shared_subjects=_shared(tally.subjects),
        problems=dict(counted),
        examples=[f"{p.name}: {p.reason.value}, {p.detail}" for p in problems[:NAMED]],
        ignored=records.ignored,
        duplicates=len(tally.repeats),
        two_owners=tally.two_owners,
        duplicate_examples=tally.repeats[:NAMED],
        captions=_captions(tally, text_encoder, reads, lengths, progress),
        notes=list(records.notes),
    )


def _readable(records: Iterable[Record], problems: list[Problem]) -> Iterator[tuple[int, Record, bytes]]:
    """Images by their number, with their bytes; those that cannot be read are problems."""
    for at, record in enumerate(records, 1):
        try:
            data = record.data if record.data is not None else read_bytes(str(record.path))
            if not data:
                raise FaceError(Reason.EMPTY_FILE, "no bytes")
        except FaceError as error:
            problems.append(Problem(record.name, error.reason, error.detail))
            continue
        yield at, record, data


def form_of(source: Path, captions: Path | None = None) -> tuple[str, str]:
    """Which form a data set has, and what its owners allow, as far as its form tells."""
    if source.is_file():
        return f"table ({source.suffix.lower().removeprefix('.')})", UNKNOWN_TERMS
    layout = None if captions or captions_in(source) else find_layout(source)
    return ("folder of images", UNKNOWN_TERMS) if layout is None else (layout.title, layout.licence)


def _part(subjects: Counter[str], captioned: int) -> Part:
    counts = subjects.values()
    several = sum(count > 1 for count in counts)
    pairs = sum(count * (count - 1) // 2 for count in counts)
    return Part(subjects.total(), len(subjects), several, pairs, captioned, Spread.of(counts))


def _shared(subjects: dict[str, Counter[str]]) -> dict[str, int]:
    names = sorted(name for name in subjects if name != NO_SPLIT)
    pairs = [(one, other) for at, one in enumerate(names) for other in names[at + 1 :]]
    found = {f"{one}, {other}": len(subjects[one].keys() & subjects[other].keys()) for one, other in pairs}
    return {names: count for names, count in found.items() if count}


def _captions(
    tally: _Tally, text_encoder: str, reads: int, lengths: LineLengths, progress: Callable[[str, int, int], None]
) -> CaptionCounts:
    distinct = sorted(tally.lines, key=len)
    tokens, cut = list[int](), 0
    for start in range(0, len(distinct), LINES_A_BATCH):
        part, lost = lengths(distinct[start : start + LINES_A_BATCH])
        tokens += part
        cut += lost
        progress("caption lines", start + len(part), len(distinct))
    words = (count for line, times in tally.lines.items() for count in [len(line.split())] * times)
    return CaptionCounts(
        lines=tally.lines.total(),
        distinct=len(distinct),
        lines_per_image=Spread.of(tally.lines_per_image),
        words_per_line=Spread.of(words),
        tokens_per_line=Spread.of(tokens),
        cut=cut,
        text_encoder=text_encoder,
        reads=reads,
    )
