"""Images a second on one core: `index` end to end, its parts, the bare net, and dlib's own C++ on the same chips.

python -m benchmarks.encode_speed PHOTOS [--photos 300] [--model NAME]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import dlib
import numpy as np
import torch

from benchmarks.results import write_result
from pipelines.index import index_gallery
from tgfr_search.data.manifest import read_records
from tgfr_search.encoders.dlib_resnet import find_dat
from tgfr_search.encoders.registry import make_face_encoder
from tgfr_search.errors import FaceError
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.model.checkpoint import load_model
from tgfr_search.types import AlignedFace, Record

REPEATS = 3
BATCH = 32


def rate(count: int, work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Images a second, median of several runs after one that does not count."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return count / statistics.median(times)


def found(records: list[Record], finder: FaceFinder) -> list[AlignedFace]:
    """The faces of those photos that have one."""
    out = []
    for record in records:
        try:
            out.append(finder.find(record))
        except FaceError:
            continue
    return out


def main() -> None:
    """Runs the comparison and writes benchmarks/results/encode_speed.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--model", default=None)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

    records = list(islice(read_records(arguments.photos, on_problem=lambda problem: None), arguments.count))
    finder = FaceFinder()
    model = load_model(arguments.model)
    faces = found(records, finder)
    chips = np.stack([face.pixels for face in faces])
    parts = [chips[i : i + BATCH] for i in range(0, len(chips), BATCH)]

    def net(dtype: torch.dtype, flip: bool) -> Callable[[], object]:
        options = model.config["model"]
        encoder = make_face_encoder(
            options["face_encoder"], torch.device("cpu"), dtype, flip=flip, regions=options["regions"]
        )
        return lambda: [encoder.encode(part) for part in parts]

    reference = dlib.face_recognition_model_v1(str(find_dat()))
    few = chips[:60]
    rates: dict[str, Any] = {
        "dlib_cpp": rate(len(few), lambda: [reference.compute_face_descriptor(chip) for chip in few], 1),
        "net_float32": rate(len(chips), net(torch.float32, False)),
        "net_bfloat16": rate(len(chips), net(torch.bfloat16, False)),
        "net_bfloat16_flip": rate(len(chips), net(torch.bfloat16, True)),
        "detect_and_align": rate(len(records), lambda: found(records, finder)),
        "model_image_side": rate(len(chips), lambda: [model.embed(part, [()] * len(part)) for part in parts]),
    }

    def end_to_end() -> None:
        with tempfile.TemporaryDirectory() as folder:
            index_gallery(arguments.photos, Path(folder) / "index", model, workers=0)

    everything = len(list(read_records(arguments.photos, on_problem=lambda problem: None)))
    rates["index_end_to_end"] = rate(everything, end_to_end)
    allowed = 1 / (1 / rates["detect_and_align"] + 1 / rates["net_bfloat16_flip"])
    values: dict[str, Any] = {
        "model_id": model.model_id,
        "photos": everything,
        "images_per_second": {name: round(value, 1) for name, value in rates.items()},
        "ratios": {
            "net_float32_over_dlib_cpp": round(rates["net_float32"] / rates["dlib_cpp"], 1),
            "net_bfloat16_over_dlib_cpp": round(rates["net_bfloat16"] / rates["dlib_cpp"], 1),
            "default_image_side_cost_over_frozen": round(rates["net_bfloat16"] / rates["model_image_side"], 2),
            "index_over_detect_plus_net": round(rates["index_end_to_end"] / allowed, 2),
        },
    }
    print(write_result("encode_speed", values))
    for group in ("images_per_second", "ratios"):
        for name, value in values[group].items():
            print(f"{name:40} {value}")


if __name__ == "__main__":
    main()
