"""A cohort: templates of people who are nobody in a search, against whom a probe and a record are measured.

One safetensors file in half precision: each person's template as a gallery has it, and as a probe at the levels of the
quality ladder. Blocks that nobody has, as those of words, are not in it and are zero. It is bound to the model that
made it and named by the SHA-256 of its bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from tgfr_search.errors import InputError
from tgfr_search.files import replacing
from tgfr_search.forensic.correction import Standing
from tgfr_search.forensic.pairs import Floats
from tgfr_search.forensic.typicality import SMALLEST, check_disjoint, highest
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.probe import Layout, Probes, rows_of, score, weigh
from tgfr_search.types import FloatArray, Templates

FORMAT = "tgfr-cohort-1"


@dataclass(frozen=True)
class Cohort:
    """C people.

    Attributes:
        model: Whose templates.
        rows: float32 [C, D], as an index has them.
        probes: Templates of the C people at each level.
        quality: [L, C], predicted.
        contract_sha256: What it is bound to, as a calibration is.
        sha256: Of the file.
        data_sha256: Of the data it was made of.
        photos: SHA-256 of its people's photos.
        subjects: SHA-256 of their subject ids: comparable within one data set only.
    """

    model: FaceTextModel
    rows: FloatArray
    probes: tuple[Templates, ...]
    quality: FloatArray
    contract_sha256: str
    sha256: str
    data_sha256: str
    photos: frozenset[str]
    subjects: frozenset[str]
    _made: dict[str, tuple[Probes, ...]] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def levels(self) -> Floats:
        """[L], mean predicted quality."""
        return np.asarray(self.quality.mean(axis=1), np.float64)

    def of_probes(self, made: Probes) -> Floats:
        """`t_mean, t_sd` of N probes, [N, 2]."""
        return highest(score(made, self.rows))

    def of_records(self, rows: FloatArray, mode: str) -> Floats:
        """`z_mean, z_sd` of G records against the cohort's probes of each level, [L, G, 2].

        Args:
            rows: float32 [G, D], in the order of the index.
            mode: `image` or `fused`.
        """
        if mode not in self._made:
            model = self.model
            self._made[mode] = tuple(
                weigh(own, quality, [mode] * len(own), model.scoring, model.tgfr.layout)
                for own, quality in zip(self.probes, self.quality, strict=True)
            )
        return np.stack([highest(np.ascontiguousarray(score(made, rows).T)) for made in self._made[mode]])

    def standing(self, made: Probes, rows: FloatArray, mode: str) -> Standing:
        """How probes and records stand to it."""
        return Standing(self.of_probes(made), self.of_records(rows, mode), self.levels)

    def require_disjoint(self, photos: Collection[str], subjects: Collection[str], data: str, what: str) -> None:
        """Refuses others who are in the cohort, as far as that can be seen: by photo, and in its own data by name.

        Args:
            photos: SHA-256 of the others' photos.
            subjects: Their subject ids.
            data: SHA-256 of their data set; empty where it is none.
            what: Who they are.

        Raises:
            InputError: Somebody is in both.
        """
        check_disjoint(self.photos, photos, what)
        if data and data == self.data_sha256:
            check_disjoint(self.subjects, {name_sha256(subject) for subject in subjects}, what)

    def people_of(self, photos: Sequence[str], subjects: Sequence[str], data: str) -> set[str]:
        """Which of the subjects of N photos are in it: by a photo, or by their id where it was made of these data."""
        same = data == self.data_sha256
        return {
            subject
            for photo, subject in zip(photos, subjects, strict=True)
            if photo in self.photos or (same and name_sha256(subject) in self.subjects)
        }


def name_sha256(subject: str) -> str:
    """What a cohort keeps of a subject id."""
    return hashlib.sha256(f"subject\0{subject}".encode()).hexdigest()


def write_cohort(
    path: Path,
    rows: Templates,
    probes: Sequence[Templates],
    quality: FloatArray,
    *,
    contract_sha256: str,
    data_sha256: str,
    photos: Collection[str],
    subjects: Collection[str],
    apart: Sequence[str] = (),
) -> str:
    """Writes a cohort, whole or not at all, and returns its digest.

    Args:
        path: Of the file.
        rows: Templates of C people as a gallery has them.
        probes: Of the same people as probes, by level.
        quality: [L, C], predicted.
        contract_sha256: Of the model.
        data_sha256: Of the data they are from.
        photos: SHA-256 of their photos.
        subjects: Their ids in those data.
        apart: SHA-256 of the data sets that none of them is in.

    Raises:
        InputError: They are too few.
    """
    if len(rows) < SMALLEST:
        raise InputError("cohort", found=f"{len(rows)} people", expected=f"{SMALLEST} or more")
    arrays: dict[str, FloatArray] = {}
    for where, own in (("rows", rows), *((f"probes.{at}", own) for at, own in enumerate(probes))):
        arrays |= {f"{where}.{name}": block.astype(np.float16) for name, block in own.blocks.items() if block.any()}
    arrays["quality"] = quality.astype(np.float32)
    told = {
        "format": FORMAT,
        "contract_sha256": contract_sha256,
        "data_sha256": data_sha256,
        "photos": json.dumps(sorted(photos)),
        "subjects": json.dumps(sorted(name_sha256(own) for own in subjects)),
        "apart": json.dumps(list(apart)),
    }
    content = _ordered(save(arrays, told))
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def read_cohort(path: Path, model: FaceTextModel, contract_sha256: str) -> Cohort:
    """Reads a cohort of a model.

    Raises:
        InputError: It is not there, no cohort, or of another model.
    """
    expected = "a cohort as `cohort make` writes it"
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        with safe_open(path, framework="numpy") as file:
            told = file.metadata() or {}
            if told.get("format") != FORMAT:
                raise InputError(f"{path}", found=f"format {told.get('format')!r}", expected=expected)
            if told["contract_sha256"] != contract_sha256:
                raise InputError(
                    f"{path}: contract_sha256", found=told["contract_sha256"][:12], expected=contract_sha256[:12],
                    do="make a cohort with this model: tgfr-search cohort make DATA --out FILE",
                )  # fmt: skip
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        quality = arrays.pop("quality")
        rows = _templates(arrays, "rows", quality.shape[1], model.tgfr.layout)
        probes = tuple(
            _templates(arrays, f"probes.{at}", quality.shape[1], model.tgfr.layout) for at in range(len(quality))
        )
        photos, subjects = (frozenset(json.loads(told[name])) for name in ("photos", "subjects"))
        data = told["data_sha256"]
    except OSError as error:
        raise InputError(f"{path}", found=error.strerror or "unreadable", expected=expected) from error
    except (SafetensorError, KeyError, ValueError) as error:
        raise InputError(f"{path}", found=f"no cohort: {error}", expected=expected) from error
    return Cohort(
        model, rows_of(rows, model.tgfr.layout), probes, quality, contract_sha256, digest, data, photos, subjects
    )


def _ordered(content: bytes) -> bytes:
    """A safetensors file with its header in the order of names: the library writes metadata in any order."""
    size = int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8 : 8 + size]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + content[8 + size :]


def _templates(arrays: Mapping[str, FloatArray], where: str, count: int, layout: Layout) -> Templates:
    """Unit vectors again: half precision leaves them short or long by a little. Zeros where there is no block."""
    blocks = {}
    for name, dim in layout:
        block = arrays.get(f"{where}.{name}", np.zeros((count, dim))).astype(np.float32)
        length = np.linalg.norm(block, axis=1, keepdims=True)
        blocks[name] = np.divide(block, length, out=np.zeros_like(block), where=length > 0.5)
    return Templates(blocks)
