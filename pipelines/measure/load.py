"""Reads the two sides of a benchmark: photos, or the crops that an index kept, with their features at every level."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from indexer import Store
from indexer.manifest import MANIFEST_NAME
from pipelines.enrol.index import contract_of
from pipelines.faces.aligned import Chips, Progress, chips_of, load_chips, relabelled
from pipelines.faces.features import load_features
from pipelines.measure.data import VIEW_OF_LEVEL, BenchData, BenchOptions, Side, join
from pipelines.measure.systems.protocol import System
from tgfr_search.encoders.base import FaceEncoder
from tgfr_search.encoders.registry import make_face_encoder
from tgfr_search.errors import InputError
from tgfr_search.faces.finder import FaceFinder, FaceOptions
from tgfr_search.model.checkpoint import face_source
from tgfr_search.types import Record

READ_ROWS = 256

FACE_FIELDS = (
    "face_encoder", "face_encoder_sha256", "alignment", "alignment_sha256", "input_size", "preprocessing", "detector",
    "detector_sha256",
)  # fmt: skip
"""What of a contract a system without text depends on."""


def load_data(
    options: BenchOptions,
    systems: Sequence[System],
    cache: Path,
    finder: FaceFinder,
    workers: int | None,
    progress: Progress,
) -> BenchData:
    """Both sides with their features; degraded templates only where the condition asks for them.

    Raises:
        InputError: The sources are not what they should be, or an index kept no crops.
        NothingUsableError: A side has not one face.
        ContractMismatchError: The gallery is an index of another model.
    """
    encoders = encoders_of(systems)

    def side(chips: Chips, levels: tuple[str, ...]) -> Side:
        views = [VIEW_OF_LEVEL.get(level, level) for level in dict.fromkeys(("normal", *levels))]
        made = {key: load_features(chips, views, face, cache, options.seed, progress) for key, face in encoders.items()}
        return Side.of(chips, made)

    gallery: Chips | None = None
    if options.gallery is not None and (options.gallery / MANIFEST_NAME).is_file():
        gallery = index_chips(
            options.gallery, systems, cache, finder.detector, workers, progress
        )  # first: a refused index should be told at once
    elif options.gallery is not None:
        split = None if options.gallery.is_dir() else options.split
        gallery = load_chips(options.gallery, split, cache, finder, workers=workers, progress=progress)
    chips = load_chips(
        options.probes, options.split, cache, finder, captions=options.captions_file, workers=workers, progress=progress
    )
    chips = relabelled(chips, options.same_person)
    probes = side(chips, options.levels)
    if gallery is None:
        return join(probes, None, options.seed)
    gallery = relabelled(gallery, options.same_person)
    return join(probes, side(gallery, options.levels if options.condition == "both" else ()), options.seed)


def encoders_of(systems: Sequence[System]) -> dict[str, FaceEncoder]:
    """The face encoders of all systems by their `weights_key`.

    Both orientations are cached apart, so that models with and without flip averaging share one cache; in float32, so
    that it is the same on every machine.
    """
    encoders: dict[str, FaceEncoder] = {}
    for system in systems:
        model, options_of = system.model, system.model.config["model"]
        key = model.face_encoder.spec.weights_key
        if key not in encoders:
            source = face_source(model.folder, model.config)
            encoders[key] = make_face_encoder(
                source, model.tgfr.device, torch.float32, flip=False, regions=options_of["regions"]
            )
    return encoders


def index_chips(
    path: Path, systems: Sequence[System], cache: Path, detector: str, workers: int | None, progress: Progress
) -> Chips:
    """The faces that an index kept with its rows, as a gallery.

    They are encoded again by every system, so a system that did not make the index can be compared too.

    Raises:
        ContractMismatchError: No compared system made this index; names every field that differs.
        InputError: A row has no crop.
    """
    store = Store.open(path)
    _check_contract(store, systems, detector)
    ids = sorted(row for row, _ in store.rows_by_image().values())
    digests: dict[str, str] = {}

    def records() -> Iterator[Record]:
        for start in range(0, len(ids), READ_ROWS):
            for row in store.rows(ids[start : start + READ_ROWS]):
                if row.chip is None:
                    raise InputError(
                        f"{path}: row {row.image!r}",
                        found="no crop",
                        expected="an index that kept its crops",
                        do="enrol without --no-crops, or give the gallery's photos",
                    )
                yield Record(row.image, row.subject_id, None, row.chip, row.captions, row.metadata)

    name = f"{store.index_id}-{store.generation}"
    alignment = systems[0].model.face_encoder.spec.alignment
    finder = FaceFinder(FaceOptions(aligned=True)).for_alignment(alignment)
    chips = chips_of(
        records(), cache / f"chips-index-{name}", f"{path}", name, finder, Counter(), workers=workers, progress=progress
    )
    for start in range(0, len(ids), READ_ROWS):
        digests.update((row.image, row.image_sha256) for row in store.rows(ids[start : start + READ_ROWS], chips=False))
    # A crop's own digest says nothing about which photo it was cut from.
    return replace(chips, sha256=[digests[name] for name in chips.names])


def _check_contract(store: Store, systems: Sequence[System], detector: str) -> None:
    trained = sorted((system for system in systems if system.trained), key=lambda s: -s.prominence)
    contracts = [contract_of(system.model, detector) for system in trained]
    own = contract_of(systems[0].model, detector)
    face = {name: value for name, value in own.fields.items() if name in FACE_FIELDS}
    fields = {**own.assumed, **store.contract.fields}
    if not contracts and all(fields.get(name) == value for name, value in face.items()):
        return  # the face encoder alone is compared, and it is the index's own
    if not any(space.accepts(each) for space in store.manifest.contracts.values() for each in contracts):
        store.contract.require((contracts or [own])[0], str(store.path))
