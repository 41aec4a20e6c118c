"""What `encode_speed` measures; apart from it, because each process that finds faces imports the started file."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dlib
import numpy as np
import torch

from benchmarks.results import write_result
from pipelines.enrol.index import index_gallery
from pipelines.faces.find import find_faces
from tgfr_search.data.records import read_records
from tgfr_search.encoders.dlib_resnet import find_dat
from tgfr_search.encoders.registry import make_face_encoder
from tgfr_search.errors import FaceError
from tgfr_search.faces.detect import landmark_model
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.model.checkpoint import load_model
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.types import AlignedFace, Record

REPEATS = 3
BATCH = 32
DLIB_PHOTOS = 60
"""dlib's net needs a twentieth of a second for a face."""


def cpu_seconds() -> float:
    """CPU time of this process and of its children that have ended."""
    mine, theirs = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime


def rate(count: int, work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Images a second of CPU time, median of several runs after one that does not count."""
    work()
    times = []
    for _ in range(repeats):
        start = cpu_seconds()
        work()
        times.append(cpu_seconds() - start)
    return count / statistics.median(times)


def spread(count: int, work: Callable[[], object]) -> dict[str, float]:
    """Images a second of wall time, and of the CPU time of all processes together; the best of several runs."""
    best: dict[str, float] = {}
    for _ in range(REPEATS):
        start, cpu = time.perf_counter(), cpu_seconds()
        work()
        wall = time.perf_counter() - start
        for child in multiprocessing.active_children():
            child.join()  # only then its CPU time is known
        if count / wall > best.get("wall", 0.0):
            best = {"wall": count / wall, "cpu": count / (cpu_seconds() - cpu)}
    return {name: round(value, 1) for name, value in best.items()}


def found(records: list[Record], finder: FaceFinder) -> list[AlignedFace]:
    """The faces of those photos that have one."""
    out = []
    for record in records:
        try:
            out.append(finder.find(record))
        except FaceError:
            continue
    return out


def dlib_pipeline(records: list[Record]) -> Callable[[], object]:
    """What dlib's own example does: load, HOG detector, five landmarks, descriptor, one photo after another."""
    detector, predictor = dlib.get_frontal_face_detector(), dlib.shape_predictor(str(landmark_model()))
    encoder = dlib.face_recognition_model_v1(str(find_dat()))

    def work() -> None:
        for record in records:
            photo = dlib.load_rgb_image(str(record.path))
            for box in list(detector(photo, 0))[:1]:
                encoder.compute_face_descriptor(photo, predictor(photo, box))

    return work


def on_one_core(
    records: list[Record], finder: FaceFinder, model: FaceTextModel, end_to_end: Callable[[int], object]
) -> dict[str, float]:
    """Rates of the parts and of the whole, pinned to one core."""
    chips = np.stack([face.pixels for face in found(records, finder)])
    parts = [chips[i : i + BATCH] for i in range(0, len(chips), BATCH)]

    def net(dtype: torch.dtype, flip: bool) -> Callable[[], object]:
        options = model.config["model"]
        encoder = make_face_encoder(
            options["face_encoder"], torch.device("cpu"), dtype, flip=flip, regions=options["regions"]
        )
        return lambda: [encoder.encode(part) for part in parts]

    reference, few = dlib.face_recognition_model_v1(str(find_dat())), chips[:DLIB_PHOTOS]
    return {
        "dlib_cpp": rate(len(few), lambda: [reference.compute_face_descriptor(chip) for chip in few], 1),
        "dlib_pipeline": rate(DLIB_PHOTOS, dlib_pipeline(records[:DLIB_PHOTOS]), 1),
        "net_float32": rate(len(chips), net(torch.float32, False)),
        "net_bfloat16": rate(len(chips), net(torch.bfloat16, False)),
        "net_bfloat16_flip": rate(len(chips), net(torch.bfloat16, True)),
        "detect_and_align": rate(len(records), lambda: found(records, finder)),
        "model_image_side": rate(len(chips), lambda: [model.embed(part, [()] * len(part)) for part in parts]),
        "index_end_to_end": rate(len(records), lambda: end_to_end(0)),
    }


def main() -> None:
    """Runs the comparison and writes benchmarks/results/encode_speed.json."""
    parser = argparse.ArgumentParser(description="Images a second, beside dlib's own pipeline; see encode_speed.")
    parser.add_argument("photos", type=Path)
    parser.add_argument("--model", default="tgfr-minilm-dlib", help="one whose chip dlib's own net takes")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    load, cores = os.getloadavg()[0], os.sched_getaffinity(0)
    records = list(read_records(arguments.photos, on_problem=lambda problem: None))
    model = load_model(arguments.model)
    finder = model.find_with()

    def end_to_end(workers: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            index_gallery(arguments.photos, Path(folder) / "index", model, workers=workers)

    os.sched_setaffinity(0, {min(cores)})
    rates = on_one_core(records, finder, model, end_to_end)
    os.sched_setaffinity(0, cores)
    workers = {
        str(count): {
            "detect_and_align": spread(len(records), lambda n=count: list(find_faces(records, finder, n))),  # type: ignore[misc]
            "index": spread(len(records), lambda n=count: end_to_end(n)),  # type: ignore[misc]
        }
        for count in (1, 2)
    }
    detect, net = rates["detect_and_align"], rates["model_image_side"]
    index = workers["2"]["index"]
    values: dict[str, Any] = {
        "model_id": model.model_id,
        "photos": len(records),
        "cores": len(cores),
        "load_average_before": round(load, 1),
        "images_per_second": {name: round(value, 1) for name, value in rates.items()},
        "workers": workers,
        "ratios": {
            "net_float32_over_dlib_cpp": round(rates["net_float32"] / rates["dlib_cpp"], 1),
            "net_bfloat16_over_dlib_cpp": round(rates["net_bfloat16"] / rates["dlib_cpp"], 1),
            "default_image_side_cost_over_frozen": round(rates["net_bfloat16"] / net, 2),
            # The frozen encoder as it is measured everywhere: averaged over the mirrored face, as the default is.
            "default_image_side_cost_over_frozen_flip": round(rates["net_bfloat16_flip"] / net, 2),
            "index_over_dlib_pipeline": round(rates["index_end_to_end"] / rates["dlib_pipeline"], 1),
            "index_over_detect_plus_net": round(rates["index_end_to_end"] * (1 / detect + 1 / net), 2),
            # On two cores: what the slower stage allows with a core for each, and what two busy cores could do at all.
            "two_workers_over_slower_stage": round(index["wall"] / min(detect, net), 2),
            "two_workers_over_two_busy_cores": round(index["wall"] * (1 / detect + 1 / net) / 2, 2),
            "two_workers_cpu_in_the_two_stages": round(index["cpu"] * (1 / detect + 1 / net), 2),
        },
    }
    print(write_result("encode_speed", values))
    for group in ("images_per_second", "workers", "ratios"):
        for name, value in values[group].items():
            print(f"{name:40} {value}")
