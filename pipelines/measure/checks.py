"""What may make a figure better or worse than it deserves: shared words, doubtful labels, data tuned on."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch.nn.functional as F

from pipelines.measure.data import BenchData, BenchOptions, Side
from pipelines.measure.systems.protocol import System
from tgfr_search.data.regimes import Captions
from tgfr_search.data.same_person import counted, read_decisions
from tgfr_search.errors import InputError
from tgfr_search.evaluation.pairs import score_pairs
from tgfr_search.evaluation.protocol import Roles
from tgfr_search.evaluation.results import SuspectsRecord
from tgfr_search.forensic.calibration import Calibration
from tgfr_search.types import FloatArray

SUSPECTS = 10
"""Pairs of subjects named at most."""

BATCH = 1024


def shared_lines(said: Captions, enrolled: Sequence[tuple[str, ...]], roles: Roles) -> dict[str, int]:
    """In how many verification pairs the probe's line stands, word for word, among the template's lines.

    Short sentences recur by chance; were a caption to stand on both sides by construction, nearly all genuine pairs
    would be counted here.

    Returns:
        Counts `genuine` and `impostor`.
    """
    where: dict[str, list[int]] = {}
    for at, lines in enumerate(enrolled):
        for line in set(lines):
            where.setdefault(line, []).append(at)
    counts = {"genuine": 0, "impostor": 0}
    for at, lines in enumerate(said.probe):
        templates = {one for line in lines for one in where.get(line, ()) if not roles.one_set or one < at}
        same = sum(int(roles.template_subjects[one] == roles.probe_subjects[at]) for one in templates)
        counts["genuine"] += same
        counts["impostor"] += len(templates) - same
    return counts


def suspects(data: BenchData) -> SuspectsRecord:
    """Impostor pairs that the face encoder finds more alike than half of all genuine pairs, by pair of subjects.

    A few mislabelled people decide the figures at the lowest FAR and FPIR; whoever owns the data can look at them.

    Returns:
        `pairs`: their number; `subjects`: the pairs of subjects with most of them, as (subject, subject, count).
    """
    roles = data.roles
    pairs = score_pairs(
        _faces(data.probes),
        _faces(data.templates),
        roles.probe_subjects,
        None if roles.one_set else roles.template_subjects,
    )
    if not len(pairs.genuine):
        return {"pairs": 0, "subjects": []}
    above = pairs.tail_subjects[pairs.tail >= np.median(pairs.genuine)]
    names = {
        int(number): name
        for side, numbers in ((data.probes, roles.probe_subjects), (data.templates, roles.template_subjects))
        for name, number in zip(side.subjects, numbers, strict=True)
    }
    counts = Counter((min(a, b), max(a, b)) for a, b in above.tolist())
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:SUSPECTS]
    return {"pairs": len(above), "subjects": [[names[a], names[b], count] for (a, b), count in most]}


def _faces(side: Side) -> FloatArray:
    """Unit vectors of the undegraded faces by the first system's face encoder, float32 [N, D]."""
    features = next(iter(side.features.values()))
    parts = [features.batch(side.order[at : at + BATCH], 0).global_ for at in range(0, len(side), BATCH)]
    return np.concatenate([F.normalize(part, dim=1).numpy() for part in parts])


def tuned_on(systems: Sequence[System], data: BenchData, options: BenchOptions) -> list[str]:
    """Warnings for the systems that were trained or tuned on the very data they are measured on."""
    out = []
    for system in systems:
        origin = system.model.config["provenance"]
        splits = origin.get("options", {}).get("data", {})
        seen = {splits.get("train"): "trained", splits.get("valid"): "tuned"}
        if not system.trained or origin.get("data_sha256") != data.probes.chips.data_sha256:
            continue
        if options.split is None or options.split in seen:
            how = seen.get(options.split, "trained and tuned")
            out.append(f"{system.name} was {how} on these very images: its figures here flatter it")
    return out


def require_others(calibration: Calibration, options: BenchOptions, data_sha256: str) -> None:
    """Refuse to measure a calibration on the people whom it was fitted on.

    Args:
        calibration: What is measured.
        options: Whose probes are measured.
        data_sha256: Of these probes.

    Raises:
        InputError: They are the same, or might be.
    """
    if calibration.origin.data_sha256 != data_sha256:
        return
    if options.split is None:
        raise InputError(
            f"{options.probes}", found="data of the calibration", expected="other people", do="give --split"
        )
    if calibration.origin.split in ("", options.split):
        raise InputError(
            f"{options.probes}, split {options.split}", found="the people whom the calibration was fitted on",
            expected="other people", do="name another split, or other data",
        )  # fmt: skip


def decided_labels(options: BenchOptions) -> list[str]:
    """What a figure must say of its labels: nothing where they are the data's own."""
    if options.same_person is None:
        return []
    same, others = counted(read_decisions(options.same_person))
    told = f"{same} pairs of ids are one person each" + (f", {others} photos are of somebody else" if others else "")
    digest = hashlib.sha256(options.same_person.read_bytes()).hexdigest()
    return [f"labels: {told}, as decided in {options.same_person.name}, SHA-256 {digest}"]
