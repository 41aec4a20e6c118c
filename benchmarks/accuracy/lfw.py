"""The main job on ordinary photographs: enrol a gallery, search it with every probe's image alone.

    python -m benchmarks.accuracy.lfw ../shared/data/lfw_photos [--model NAME]

PHOTOS has `gallery` and `probes`, each in a form that `index` takes, with the same subject ids. A probe in which no
face is found counts as missed.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.results import write_result
from pipelines.faces.aligned import data_sha256
from pipelines.search.gallery import Gallery
from tgfr_search.data.records import read_records
from tgfr_search.errors import FaceError
from tgfr_search.evaluation.intervals import rate_interval, subject_weights
from tgfr_search.model.checkpoint import load_model

SEED = 0
DEEPEST = 10


def main() -> None:
    """Measures and writes benchmarks/results/lfw.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--model", default=None)
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    with tempfile.TemporaryDirectory() as folder:
        gallery, summary = Gallery.build(arguments.photos / "gallery", Path(folder) / "index", model=model)
        places: list[int] = []
        subjects: list[str] = []
        failed = 0
        for record in read_records(arguments.photos / "probes", on_problem=lambda problem: None):
            subjects.append(str(record.subject_id))
            try:
                found = gallery.query(str(record.path), mode="image", top_k=DEEPEST).candidates
            except FaceError:
                failed += 1
                found = ()
            places.append(next((hit.rank for hit in found if hit.subject_id == record.subject_id), DEEPEST + 1))
    owners = np.unique(np.array(subjects), return_inverse=True)[1].astype(np.int64)
    weights = subject_weights(int(owners.max()) + 1, SEED)
    ranks = {}
    for rank in (1, 5, 10):
        interval = rate_interval((np.array(places) <= rank).astype(np.float64), owners, weights)
        ranks[f"rank_{rank}"] = {"value": interval.value, "low": interval.low, "high": interval.high}
    values = {
        "model_id": model.model_id,
        "data_sha256": data_sha256(arguments.photos),
        "seed": SEED,
        "gallery_photos": summary.rows + sum(summary.quarantined.values()),
        "enrolled": summary.rows,
        "quarantined": summary.quarantined,
        "subjects": summary.subjects,
        "probes": len(places),
        "probes_without_a_face": failed,
        **ranks,
    }
    print(write_result("lfw", values))
    for name, value in values.items():
        print(f"{name:24} {value}")


if __name__ == "__main__":
    main()
