"""The reader of looks: a vector of a face alone, in the space of descriptions."""

import numpy as np
import pytest
import torch
from test_model import WordTable, faces

from tgfr_search.encoders.base import FaceFeatures
from tgfr_search.model.looks import LooksReader
from tgfr_search.model.probe import rows_of, score, weigh
from tgfr_search.model.scoring import ScoreModel
from tgfr_search.model.tgfr import TGFR
from tgfr_search.options import ModelOptions


@pytest.fixture
def model() -> TGFR:
    torch.manual_seed(0)
    made = TGFR(WordTable(), ModelOptions(dropout=0.0, description_dim=6), parts=(("face", 16),), region_channels=12)
    for name in ("description", "looks"):
        made.get_buffer(f"centre_{name}").copy_(0.05 * torch.randn(6))
    return made.eval()


@pytest.mark.parametrize("side", [2, 4, 7])
def test_a_face_and_a_map_of_any_size_give_a_unit_vector(side: int) -> None:
    torch.manual_seed(0)
    reader = LooksReader((10, 6), 12, 5).eval()
    face = FaceFeatures(torch.randn(3, 16), torch.randn(3, 12, side, side))
    out = reader(face)
    assert out.shape == (3, 5)
    assert out.norm(dim=1).tolist() == pytest.approx([1, 1, 1])
    # Each network's vector counts by its direction, whatever the length of either.
    longer = FaceFeatures(torch.cat([7 * face.global_[:, :10], face.global_[:, 10:]], dim=1), face.regions)
    assert torch.allclose(reader(longer), out, atol=1e-5)
    other = FaceFeatures(face.global_, face.regions.roll(1, dims=0))
    assert (reader(other) - out).norm(dim=1).min() > 1e-3


def test_it_is_of_the_face_alone(model: TGFR) -> None:
    assert model.layout[-1] == ("looks", 6)
    told, silent, words = model.embed(faces(2), [("a hat",), ()]), model.embed(faces(2), [(), ()]), ("a hat",)
    assert (told.templates.blocks["looks"] == silent.templates.blocks["looks"]).all()
    assert silent.templates.present("looks").all()
    assert not model.embed(None, [words]).templates.present("looks").any()


def test_words_search_faces_that_nobody_described(model: TGFR) -> None:
    gallery, probe = model.embed(faces(5), [()] * 5).templates, model.embed(None, [("a hat",)]).templates
    scoring = ScoreModel({"caption": {"description": (2.0,), "description_to_face": (3.0,)}}, {}, {"caption": (0.0,)})
    made = weigh(probe, np.zeros(1, np.float32), ["caption"], scoring, model.layout)
    expected = 3.0 * probe.blocks["description"] @ gallery.blocks["looks"].T
    assert score(made, rows_of(gallery, model.layout)) == pytest.approx(expected, abs=1e-5)
    assert np.ptp(expected) > 0.1


def test_a_model_without_the_reader_of_descriptions_has_none() -> None:
    plain = TGFR(WordTable(), ModelOptions(), parts=(("face", 16),), region_channels=12)
    assert "looks" not in dict(plain.layout)
    assert plain.embed(faces(2), [(), ()]).templates.blocks.keys() == {"face", "shared_face", "caption", "fused"}
