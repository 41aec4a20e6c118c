"""Aligned faces, or the reasons why there are none, as Arrow bytes: what goes from one worker to another."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tgfr_search.errors import FaceError, Reason
from tgfr_search.types import AlignedFace, FaceCrop, FaceQuality

_FACES = pa.schema(
    [
        pa.field("image", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("detail", pa.string()),
        pa.field("pixels", pa.binary()),
        pa.field("facts", pa.string()),
        pa.field("crop", pa.binary()),
    ]
)


def faces_to_bytes(found: Sequence[tuple[str, AlignedFace | FaceError]]) -> bytes:
    """An Arrow stream of one row a face, or a photo without: the name of the photo, and what was found in it."""
    table = pa.Table.from_pylist([{"image": image} | _row(each) for image, each in found], schema=_FACES)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def faces_from_bytes(data: bytes) -> list[tuple[str, AlignedFace | FaceError]]:
    """What `faces_to_bytes` was given."""
    with pa.ipc.open_stream(data) as reader:
        return [(row["image"], _face(row)) for row in reader.read_all().to_pylist()]


def _row(found: AlignedFace | FaceError) -> dict[str, Any]:
    if isinstance(found, FaceError):
        return {"reason": found.reason.value, "detail": found.detail, "pixels": None, "facts": None, "crop": None}
    facts = {
        "shape": found.pixels.shape,
        "landmarks": found.landmarks.tolist(),
        "sha256": found.source_sha256,
        "quality": found.quality.as_dict(),
        "box": found.box,
        "faces": found.faces_found,
        "scheme": found.scheme,
        "crop_points": None if found.crop is None else found.crop.points.tolist(),
    }
    crop = None if found.crop is None else found.crop.picture
    return {"reason": None, "detail": None, "pixels": found.pixels.tobytes(), "facts": json.dumps(facts), "crop": crop}


def _face(row: dict[str, Any]) -> AlignedFace | FaceError:
    if row["reason"] is not None:
        return FaceError(Reason(row["reason"]), row["detail"])
    facts = json.loads(row["facts"])
    return AlignedFace(
        np.frombuffer(row["pixels"], np.uint8).reshape(facts["shape"]),
        np.array(facts["landmarks"], np.float32),
        facts["sha256"],
        FaceQuality(**facts["quality"]),
        None if facts["box"] is None else tuple(facts["box"]),
        facts["faces"],
        facts["scheme"],
        crop=None if row["crop"] is None else FaceCrop(row["crop"], np.array(facts["crop_points"], np.float32)),
    )
