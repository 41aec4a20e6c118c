"""What the systems of a comparison look with."""

from types import SimpleNamespace
from typing import cast

import pytest
import torch

from pipelines.measure.data import Side
from pipelines.measure.systems import faces
from tgfr_search.encoders.base import FaceFeatures
from tgfr_search.errors import InputError
from tgfr_search.model.loaded import FaceTextModel


def test_frozen_dlib_is_its_own_block_of_the_joint_template(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default looks with four networks; each frozen one is a row of its own in the comparison."""
    parts = (("face", 2), ("adapted", 2), ("face_dlib", 3), ("adapted_dlib", 1))
    encoder = SimpleNamespace(spec=SimpleNamespace(parts=parts, frozen="sface-2021"))
    joint = cast(FaceTextModel, SimpleNamespace(face_encoder=encoder))
    features = FaceFeatures(torch.tensor([[3.0, 4, 9, 9, 0, 5, 0, 9]]), torch.zeros(1, 1, 1, 1))
    monkeypatch.setattr(faces, "batches", lambda *_: iter([(slice(0, 1), features)]))
    side = cast(Side, None)
    first = faces.Frozen("frozen", joint)._faces(side, 0).blocks["face"]
    assert first[0] == pytest.approx([0.6, 0.8])
    own = faces.FrozenDlib("frozen-dlib", joint)
    assert own._faces(side, 0).blocks["face"].tolist() == [[0, 1, 0]]
    assert (own.model_id, faces.Frozen("frozen", joint).model_id) == ("dlib-resnet", "sface-2021")

    fast = cast(FaceTextModel, SimpleNamespace(face_encoder=SimpleNamespace(spec=SimpleNamespace(parts=parts[:2]))))
    with pytest.raises(InputError, match="face_dlib"):
        faces.FrozenDlib("frozen-dlib", fast)._faces(side, 0)
