"""What `model_speed` measures; apart from it, because each process that finds faces imports the started file."""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.results import write_result
from benchmarks.speed.encode_rates import BATCH, dlib_pipeline, found, rate
from pipelines.enrol.index import index_gallery
from tgfr_search.data.records import read_records
from tgfr_search.model.checkpoint import DEFAULT_MODEL, load_model

MODELS = (DEFAULT_MODEL, "tgfr-minilm-dlib")


def main() -> None:
    """Runs the comparison and writes benchmarks/results/model_speed.json."""
    parser = argparse.ArgumentParser(description="Images a second by each shipped model; see model_speed.")
    parser.add_argument("photos", type=Path)
    parser.add_argument("--count", type=int, default=60)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    records = [*read_records(asked.photos, on_problem=lambda problem: None)][: asked.count]
    values: dict[str, Any] = {"photos": len(records), "models": {}}
    values["dlib_pipeline"] = round(rate(len(records), dlib_pipeline(records), 1), 1)
    with tempfile.TemporaryDirectory() as folder:
        gallery = Path(folder) / "gallery"
        for record in records:
            assert record.path is not None
            (gallery / str(record.subject_id)).mkdir(parents=True, exist_ok=True)
            shutil.copy(record.path, gallery / str(record.subject_id))
        for name in MODELS:
            model = load_model(name, device="cpu")
            finder = model.find_with()
            chips = np.stack([face.pixels for face in found(records, finder)])
            parts = [chips[i : i + BATCH] for i in range(0, len(chips), BATCH)]

            def index(model: Any = model) -> None:
                with tempfile.TemporaryDirectory() as out:
                    index_gallery(gallery, Path(out) / "index", model, workers=0)

            own = {
                "detect_and_align": rate(len(records), lambda f=finder: found(records, f), 1),  # type: ignore[misc]
                "image_side": rate(len(chips), lambda m=model, p=parts: [m.embed(x, [()] * len(x)) for x in p], 1),  # type: ignore[misc]
                "index_end_to_end": rate(len(records), index, 1),
            }
            ratio = round(own["index_end_to_end"] / values["dlib_pipeline"], 2)
            values["models"][name] = {
                "model_id": model.model_id,
                **{part: round(value, 1) for part, value in own.items()},
                "index_over_dlib_pipeline": ratio,
            }
            print(name, values["models"][name])
    print(write_result("model_speed", values))
