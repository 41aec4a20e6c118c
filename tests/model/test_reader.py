"""The reader of whole descriptions, alone and as a block of the model."""

import pytest
import torch
from test_model import WordTable, faces
from torch import nn

from tgfr_search.model.reader import DescriptionReader
from tgfr_search.model.tgfr import TGFR
from tgfr_search.options import ModelOptions

LINES = ("he has black hair", "a man with a hat", "he smiles")


@pytest.fixture
def reader() -> DescriptionReader:
    torch.manual_seed(0)
    return DescriptionReader(12, 6, concepts=10, hidden=8)


@pytest.fixture
def model() -> TGFR:
    torch.manual_seed(0)
    made = TGFR(WordTable(), ModelOptions(dropout=0.0, description_dim=6), parts=(("face", 16),), region_channels=12)
    made.centre_description.copy_(0.05 * torch.randn(6))
    return made.eval()


def test_a_set_says_what_any_of_its_words_says(reader: DescriptionReader) -> None:
    words = nn.functional.normalize(torch.randn(5, 12), dim=-1)
    out = reader(words, torch.tensor([1, 0, 1, 1, 0]), torch.tensor([1.0, 2.0, 0.0]))
    raised = torch.relu(words @ reader.concepts.weight.T + reader.concepts.bias)
    together = torch.cat([raised[[0, 2, 3]].amax(dim=0), torch.tensor([2.0]).log()])
    assert torch.allclose(
        out[1], nn.functional.normalize(reader.linear(together) + reader.adapter(together), dim=0), atol=1e-6
    )
    assert out[:2].norm(dim=1).tolist() == pytest.approx([1, 1])
    assert out[2].tolist() == [0.0] * 6  # no line, nothing said


def test_words_of_every_set_get_a_gradient(reader: DescriptionReader) -> None:
    words = torch.randn(6, 12, requires_grad=True)
    reader(words, torch.tensor([0, 0, 0, 2, 2, 2]), torch.tensor([2.0, 0.0, 1.0])).sum().backward()
    assert words.grad is not None
    assert words.grad.isfinite().all()
    assert words.grad[:3].any()
    assert words.grad[3:].any()


def test_lines_are_a_set_of_which_the_size_counts(model: TGFR) -> None:
    sets = [LINES, LINES[::-1], LINES[:1], LINES[:1] * 2, (), ("",)]
    out = model.embed(None, sets).templates.blocks["description"]
    assert out[0] == pytest.approx(out[1], abs=1e-6)
    assert abs(out[0] - out[2]).max() > 1e-3
    assert abs(out[2] - out[3]).max() > 1e-3  # one line said twice is a longer description
    assert not out[4:].any()


def test_only_descriptions_have_the_block(model: TGFR) -> None:
    assert model.layout[-2] == ("description", 6)
    both, image = model.embed(faces(2), [LINES, ()]), model.embed(faces(2), [(), ()])
    assert both.templates.present("description").tolist() == [True, False]
    assert not image.templates.present("description").any()
    alone = model.embed(None, [LINES, ()])
    assert (both.templates.blocks["description"] == alone.templates.blocks["description"]).all()


def test_many_lines_in_several_batches_are_one_set(model: TGFR, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = model.embed(None, [LINES, LINES[1:]]).templates.blocks["description"]
    monkeypatch.setattr("tgfr_search.model.tgfr.LINES_A_BATCH", 2)
    assert model.embed(None, [LINES, LINES[1:]]).templates.blocks["description"] == pytest.approx(whole, abs=1e-6)


def test_as_the_paper_has_it_there_is_no_such_block() -> None:
    plain = TGFR(WordTable(), ModelOptions(), parts=(("face", 16),), region_channels=12)
    assert [name for name, _ in plain.layout] == ["face", "shared_face", "caption", "fused"]
    assert not any("description" in name for name in plain.state_dict())
