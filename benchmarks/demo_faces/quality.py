"""How good the demo faces are: found, told apart, showing their attributes, and nobody's copy.

`python -m benchmarks.demo_faces.quality --data ../shared/data/mmceleba_hq.parquet` writes
`benchmarks/results/demo_faces.json`. The train photos are read to measure against; nothing of them is written.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.parquet as pq
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from benchmarks.demo_faces.data import CONDITIONS, decode
from benchmarks.results import write_result
from tgfr_search.data.captions import ATTRIBUTES
from tgfr_search.data.degrade import LADDER, degrade_photo
from tgfr_search.data.synthetic import EYE_DISTANCE, SyntheticFaces, View
from tgfr_search.encoders.dlib_resnet import DlibFaceEncoder
from tgfr_search.faces.align import DLIB_CHIP, Alignment, align
from tgfr_search.faces.detect import find_faces, find_landmarks
from tgfr_search.types import ByteArray, FloatArray

HEAD = Alignment("head", 150, tuple((33.5 + 0.55 * x, 47.0 + 0.55 * y) for x, y in DLIB_CHIP.template))
"""A wider cut than the face net's own, with hair and collar, for attributes that the chip leaves out."""
PEOPLE, VIEWS = 100, 3
PROBE_FACES = 5_000
"""Real faces that the attribute probes learn from."""
BATCH = 32


@dataclass(frozen=True)
class Seen:
    """What the face net makes of pictures; a picture without a face has no row.

    Attributes:
        rows: int64 [M], which pictures have a face.
        faces: float32 [M, 128], descriptors.
        maps: float32 [M, 8192], regional maps of the chip and of the wider cut; [M, 0] where they were not wanted.
    """

    rows: npt.NDArray[np.int64]
    faces: FloatArray
    maps: FloatArray


def see(pictures: Iterable[ByteArray], encoder: DlibFaceEncoder, *, maps: bool = False) -> Seen:
    """Detect and encode; several faces in a picture count as its largest."""
    rows, chips, heads = [], [], []
    for row, picture in enumerate(pictures):
        if boxes := find_faces(picture):
            points = find_landmarks(picture, boxes[0])
            rows.append(row)
            chips.append(align(picture, points))
            if maps:
                heads.append(align(picture, points, HEAD))
    parts = [encoder.encode(np.stack(chips[at : at + BATCH])) for at in range(0, len(chips), BATCH)]
    regions = [part.regions.flatten(1) if maps else part.regions.flatten(1)[:, :0] for part in parts]
    for at in range(0, len(heads), BATCH):
        wider = encoder.encode(np.stack(heads[at : at + BATCH])).regions.flatten(1)
        regions[at // BATCH] = torch.cat([regions[at // BATCH], wider], 1)
    faces = torch.cat([part.global_ for part in parts])
    return Seen(np.array(rows), faces.numpy(), torch.cat(regions).numpy())


def distances(a: FloatArray, b: FloatArray) -> FloatArray:
    """Euclidean, all pairs: float32 [len(a), len(b)]."""
    square = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    return np.asarray(np.sqrt(np.maximum(square, 0)), np.float32)


def pairs(faces: FloatArray, subjects: npt.NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
    """Distances of all genuine pairs and of every 97th impostor pair, a block of rows at a time."""
    genuine, impostor = [], []
    for at in range(0, len(faces), 1000):
        block = distances(faces[at : at + 1000], faces)
        same = subjects[at : at + 1000, None] == subjects[None]
        later = np.arange(len(faces))[None] > np.arange(at, at + len(block))[:, None]
        genuine.append(block[same & later])
        impostor.append(block[~same & later][::97])
    return np.concatenate(genuine), np.concatenate(impostor)


def quantiles(values: npt.NDArray[np.floating]) -> dict[str, float]:
    """Lowest, 1, 5, 50, 95 and 99 %, highest."""
    shares = (0, 1, 5, 50, 95, 99, 100)
    return {f"q{share}": round(float(np.percentile(values, share)), 4) for share in shares}


def first_look(pictures: list[ByteArray]) -> float:
    """Share of the pictures in which the HOG detector sees a face at their own size, without enlarging them."""
    import dlib

    detector = dlib.get_frontal_face_detector()
    return float(np.mean([len(detector(picture, 0)) > 0 for picture in pictures]))


def rank_1(gallery: FloatArray, probes: Seen, people: int) -> dict[str, float]:
    """Closed-set identification, one gallery picture a person; a probe in which no face is found counts as missed."""
    best = distances(probes.faces, gallery).argmin(axis=1)
    return {"rank_1": float((best == probes.rows).sum()) / people, "not_found": people - len(probes.rows)}


def attribute_visibility(
    train: Seen, real: Seen, drawn: Seen, labels: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
) -> dict[str, Any]:
    """A linear probe of each attribute, trained on real faces, asked about other real faces and about drawn ones.

    Args:
        train: Real faces to train on.
        real: Real faces of other people.
        drawn: Drawn faces.
        labels: The attributes of the pictures that each of the three was seen in.

    Returns:
        Attribute → balanced accuracy on the real and on the drawn faces (None where all or none of them have it), and
        the share of the drawn that should have it.
    """
    scale = train.maps.std(axis=0) + 1e-3
    truth = [
        table[list(CONDITIONS)].to_numpy()[part.rows] for part, table in zip((train, real, drawn), labels, strict=True)
    ]
    result = {}
    for column, name in enumerate(CONDITIONS):
        probe = LogisticRegression(C=1e-4, class_weight="balanced", max_iter=60)
        probe.fit(train.maps / scale, truth[0][:, column])
        share = truth[2][:, column].mean()
        right = [
            round(float(balanced_accuracy_score(wanted[:, column], probe.predict(part.maps / scale))), 3)
            if 0 < wanted[:, column].mean() < 1
            else None
            for part, wanted in ((real, truth[1]), (drawn, truth[2]))
        ]
        result[name] = {"real": right[0], "drawn": right[1], "share": round(float(share), 3)}
    return result


def measure(data: Path, seed: int = 0) -> dict[str, Any]:
    """Everything, as plain JSON values.

    Args:
        data: `mmceleba_hq.parquet`.
        seed: First number of the people that are drawn.
    """
    encoder = DlibFaceEncoder()
    model = SyntheticFaces.load()
    people = [model.person(10_000 * seed + number) for number in range(PEOPLE)]
    views = [[model.view(person, number) for person in people] for number in range(VIEWS)]
    pictures = [[model.draw(view) for view in row] for row in views]
    seen = [see(row, encoder, maps=True) for row in pictures]
    gallery = seen[0].faces
    assert len(gallery) == PEOPLE, "a gallery picture has no face"
    result: dict[str, Any] = {
        "people": PEOPLE,
        "views": VIEWS,
        "seed": seed,
        "found": sum(len(view.rows) for view in seen) / (PEOPLE * VIEWS),
        "found_at_own_size": first_look([picture for row in pictures for picture in row]),
        "clean": rank_1(gallery, seen[1], PEOPLE),
    }
    for level in ("poor", "bad", "very_bad"):
        poor = [degrade_photo(p, EYE_DISTANCE, LADDER[level], key=str(n)) for n, p in enumerate(pictures[1])]
        result[level] = rank_1(gallery, see(poor, encoder), PEOPLE)
    between = distances(gallery, gallery)[np.triu_indices(PEOPLE, 1)]
    same = np.linalg.norm(seen[1].faces - gallery[seen[1].rows], axis=1)
    result["distance"] = {"drawn_genuine": quantiles(same), "drawn_impostor": quantiles(between)}
    return result | against_real(data, encoder, seen, views)


def against_real(data: Path, encoder: DlibFaceEncoder, seen: list[Seen], views: list[list[View]]) -> dict[str, Any]:
    """Distances to the train people, and how well the attributes show."""
    tables = [
        pq.read_table(data, columns=["image", "identity", *ATTRIBUTES], filters=[("split", "==", split)]).to_pandas()
        for split in ("train", "valid")
    ]
    some = tables[0].sample(PROBE_FACES, random_state=0)
    train = see(map(decode, tables[0]["image"]), encoder)
    sample, strangers = (see(map(decode, table["image"]), encoder, maps=True) for table in (some, tables[1]))
    subject = tables[0]["identity"].to_numpy()[train.rows]
    genuine, impostor = pairs(train.faces, subject)
    drawn = Seen(
        np.concatenate([view.rows + PEOPLE * number for number, view in enumerate(seen)]),
        np.concatenate([view.faces for view in seen]),
        np.concatenate([view.maps for view in seen]),
    )
    wanted = pd.DataFrame([dict(view.attributes) for row in views for view in row])
    return {
        "train_genuine": quantiles(genuine),
        "train_impostor": quantiles(impostor),
        "nearest_train_face": {
            "of_drawn": quantiles(distances(drawn.faces, train.faces).min(axis=1)),
            "of_real_strangers": quantiles(distances(strangers.faces, train.faces).min(axis=1)),
        },
        "attributes": attribute_visibility(sample, strangers, drawn, (some, tables[1], wanted)),
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="mmceleba_hq.parquet")
    options = parser.parse_args()
    torch.set_num_threads(1)
    result = measure(options.data)
    print(write_result("demo_faces", result))
    print(json.dumps({name: value for name, value in result.items() if name != "attributes"}, indent=1))


if __name__ == "__main__":
    main()
