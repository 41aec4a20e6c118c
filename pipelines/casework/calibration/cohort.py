"""Makes a cohort of labelled photos: one person, one template, at every level of the quality ladder.

Of the pictures alone: whether a record is described or not, and in whose words, has then no part in how it stands to
the cohort (docs/experiments.md, 36).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from indexer import Store
from pipelines.faces.aligned import Progress, chips_of, data_sha256, silent, source_sha256
from pipelines.faces.features import load_features
from pipelines.measure.data import LEVELS, VIEW_OF_LEVEL, Side
from pipelines.measure.systems.protocol import batches
from pipelines.measure.systems.trained import Trained
from pipelines.search.evidence import binding_of
from tgfr_search.data.records import read_records
from tgfr_search.encoders.base import FaceFeatures
from tgfr_search.encoders.registry import make_face_encoder
from tgfr_search.errors import InputError
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.files import cache_key
from tgfr_search.forensic.typicality import SMALLEST, check_disjoint
from tgfr_search.model.checkpoint import face_source
from tgfr_search.model.cohort import write_cohort
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.types import FloatArray, Record, Templates

PEOPLE = 300


@dataclass(frozen=True)
class CohortOptions:
    """Of whom a cohort is made.

    Attributes:
        data: Labelled photos, in any form that `index` takes.
        split: Rows of a table with a column `split`.
        captions_file: Captions table of a folder.
        people: How many are drawn; those with the fewest photos first, of whom a training saw least.
        seed: Of the draws.
        gallery: An index whose people must not be in it.
        apart: Data sets with the same subject ids, of whose people nobody is drawn: what was trained and measured with.
    """

    data: Path
    split: str | None = None
    captions_file: Path | None = None
    people: int = PEOPLE
    seed: int = 0
    gallery: Path | None = None
    apart: tuple[Path, ...] = ()


def make_cohort(
    options: CohortOptions,
    model: FaceTextModel,
    out: Path,
    cache: Path,
    *,
    finder: FaceFinder,
    workers: int | None = None,
    progress: Progress = silent,
) -> tuple[str, int]:
    """Writes a cohort; two runs write equal bytes.

    Args:
        options: Of whom.
        model: That it is made with.
        out: The file.
        cache: Folder of faces and features.
        finder: How photos become faces.
        workers: Processes that find faces.
        progress: Called as the work goes on.

    Returns:
        SHA-256 of the file, and its people.

    Raises:
        InputError: Fewer than 100 people with a face, or one of them is in the gallery.
        NothingUsableError: There is no face at all.
    """
    records = _drawn(options)
    digest, apart = source_sha256(options.data), [source_sha256(data) for data in options.apart]
    captions = options.captions_file and data_sha256(options.captions_file)
    drawn = options.split, options.people, options.seed, apart
    key = cache_key(data=digest, drawn=drawn, captions=captions, finder=finder)
    chips = chips_of(
        iter(records), cache / f"chips-cohort-{key}", f"{options.data}", digest, finder, Counter(), workers=workers,
        progress=progress,
    )  # fmt: skip
    if options.gallery is not None:
        there = Store.open(options.gallery).photos_by_image().values()
        check_disjoint(set(chips.sha256), {photo for photo, _ in there}, "gallery")
        check_disjoint(set(chips.subjects), {subject for _, subject in there}, "gallery")
    source, spec = face_source(model.folder, model.config), model.face_encoder.spec
    regions = model.config["model"]["regions"]
    face = make_face_encoder(source, model.tgfr.device, torch.float32, flip=False, regions=regions)
    views = [VIEW_OF_LEVEL.get(level, level) for level in LEVELS]
    side = Side.of(chips, {spec.weights_key: load_features(chips, views, face, cache, options.seed, progress)})
    rows, _ = _embedded(model, side, "normal")
    made = [_embedded(model, side, level) for level in LEVELS]
    sha = write_cohort(
        out, rows, [own for own, _ in made], np.stack([quality for _, quality in made]),
        contract_sha256=binding_of(model, finder.detector).contract_sha256, data_sha256=digest,
        photos=side.chips.sha256, subjects=side.subjects, apart=apart,
    )  # fmt: skip
    return sha, len(side)


def _drawn(options: CohortOptions) -> list[Record]:
    """One photo of each person drawn, the first by name; an archive is read twice rather than kept in memory."""
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    others = {
        str(own.subject_id) for data in options.apart for own in read_records(data, on_problem=lambda problem: None)
    }
    for record in _records(options):
        subject = str(record.subject_id)
        if subject in others:
            continue
        counts[subject] += 1
        first[subject] = min(first.get(subject, record.name), record.name)
    if len(counts) < SMALLEST:
        found = f"{len(counts)} people"
        raise InputError(f"{options.data}", found=found, expected=f"{SMALLEST} or more, in no other use")
    mixed = np.random.default_rng([options.seed, 15]).permutation(sorted(counts))
    chosen = sorted(mixed.tolist(), key=counts.__getitem__)[: options.people]
    names = {first[subject] for subject in chosen}
    return sorted((own for own in _records(options) if own.name in names), key=lambda own: own.name)


def _records(options: CohortOptions) -> Iterator[Record]:
    return read_records(
        options.data, captions=options.captions_file, split=options.split, on_problem=lambda problem: None
    )


def _embedded(model: FaceTextModel, side: Side, level: str) -> tuple[Templates, FloatArray]:
    parts = []
    nothing = Trained("cohort", model).spoken([()] * len(side))
    for rows, found in batches(model, side, side.view(level)):
        on_device = FaceFeatures(*(x.to(model.tgfr.device) for x in found))
        parts.append(model.tgfr.embed(on_device, nothing[rows]))
    return Templates.concat([own.templates for own in parts]), np.concatenate([own.quality for own in parts])
