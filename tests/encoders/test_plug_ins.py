"""A detector and a face encoder of another package: found by their entry points, made, listed, and named in errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tgfr_search.encoders.catalogue import catalogue
from tgfr_search.encoders.registry import default_regions, make_face_encoder
from tgfr_search.errors import InputError
from tgfr_search.faces.detectors.registry import make_detector

MODULE = '''
from tgfr_search.encoders.dlib_resnet import REGION_MAPS, DlibFaceEncoder
from tgfr_search.faces.align import ARCFACE_CHIP
from tgfr_search.faces.detectors.base import Detection
from tgfr_search.faces.detectors.retinaface import RetinaFace
from tgfr_search.faces.schemes import EYES_NOSE_MOUTH

class Middle:
    """Sees a face in the middle of everything."""
    spec = RetinaFace().spec

    def find(self, photo):
        size = photo.shape[0] / 112
        return [Detection((0.0, 0.0, size, size), ARCFACE_CHIP.points * size, EYES_NOSE_MOUTH, 1.0)]

class Mirrored(DlibFaceEncoder):
    """dlib's network, which sees every face the other way round."""

    def encode(self, chips):
        return super().encode(chips[:, :, ::-1].copy())

ENCODER = (Mirrored, {"256x4x4": 256})
'''
ENTRIES = """
[tgfr_search.detectors]
middle = a_lab_of_its_own:Middle
[tgfr_search.face_encoders]
mirrored = a_lab_of_its_own:ENCODER
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of somebody else's, as an installer leaves it."""
    (tmp_path / "a_lab_of_its_own.py").write_text(MODULE)
    info = tmp_path / "a_lab_of_its_own-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: a-lab-of-its-own\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("installed")
def test_a_detector_of_another_package() -> None:
    (found,) = make_detector("middle").find(np.zeros((224, 224, 3), np.uint8))
    assert found.box == (0.0, 0.0, 2.0, 2.0)
    with pytest.raises(InputError, match="one of: dlib, retinaface, middle"):
        make_detector("yunet")


@pytest.mark.usefixtures("installed")
def test_a_face_encoder_of_another_package() -> None:
    how = {"device": torch.device("cpu"), "dtype": torch.float32, "flip": False}
    regions = default_regions("mirrored")
    assert regions == "256x4x4"
    face = np.random.default_rng(0).integers(0, 255, (1, 150, 150, 3), np.uint8)
    theirs, ours = (make_face_encoder(name, regions=regions, **how) for name in ("mirrored", "dlib-resnet"))
    turned = ours.encode(face[:, :, ::-1].copy())
    assert np.allclose(theirs.encode(face).global_, turned.global_)
    assert [(entry.kind, entry.installed) for entry in catalogue() if entry.name == "mirrored"] == [("face", True)]
    with pytest.raises(InputError, match=r"regions '256x14x14'; expected: of mirrored: 256x4x4"):
        make_face_encoder("mirrored", regions="256x14x14", **how)
    with pytest.raises(InputError, match=r"neither a name nor an added file.*sface-2021, mirrored"):
        make_face_encoder("straight", regions=regions, **how)


def test_where_it_is_not_installed_it_is_neither_made_nor_listed() -> None:
    with pytest.raises(InputError, match="one of: dlib, retinaface"):
        make_detector("middle")
    assert "mirrored" not in {entry.name for entry in catalogue()}
