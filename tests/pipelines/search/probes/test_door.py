"""What comes in by the Python API is accepted where it is plainly meant, else refused by name; notes say the rest."""

import io
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from indexer.errors import IndexerError, NotAnIndexError
from pipelines.enrol.index import IndexSummary
from pipelines.search.gallery import Gallery
from tgfr_search.errors import ECHO, FaceError, InputError, Reason, TgfrError
from tgfr_search.faces.finder import FaceFinder, FaceOptions
from tgfr_search.model.loaded import FaceTextModel


@pytest.fixture(scope="module")
def gallery(enrolled: tuple[Path, IndexSummary], model: FaceTextModel) -> Gallery:
    return Gallery.open(enrolled[0], model=model)


@pytest.fixture(scope="module")
def probe(demo: Path) -> Path:
    return demo / "probes/person0001.png"


def test_every_form_of_a_photo_gives_the_same_answer(gallery: Gallery, probe: Path) -> None:
    data = probe.read_bytes()
    want = gallery.query(probe)
    read = io.BytesIO(data)
    read.seek(100)
    with Image.open(probe) as picture, probe.open("rb") as file:
        for form in (data, bytearray(data), memoryview(data), read, file, picture, picture.convert("RGBA")):
            got = gallery.query(form, caption=None)
            assert got.candidates == want.candidates, type(form)
    assert want.mode == "image"


@pytest.mark.parametrize(
    ("image", "told"),
    [
        (np.zeros((0, 0, 3), np.uint8), "pixels that|has pixels"),
        (np.zeros((64, 64, 3), np.float32), "astype"),
        (np.zeros((64, 64, 4), np.uint8), "fromarray"),
        (np.zeros((64, 64), np.uint8), "stack"),
        (np.zeros((64, 64, 3), np.int64), "int64"),
        (["a.jpg", "b.jpg"], "list of 2.*query_many"),
        (io.StringIO("text"), "'rb'"),
        (3.5, "float"),
        ({"path": "a.jpg"}, "dict"),
        (object(), "object"),
    ],
)
def test_what_is_no_photo_is_refused_by_name(gallery: Gallery, image: Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        gallery.query(image)


@pytest.mark.parametrize(
    "options",
    [
        {"caption": 7},
        {"caption": b"a man"},
        {"caption": ["a man", 7]},
        {"caption": {"said": "a man"}},
        {"caption": "a man", "top_k": "ten"},
        {"caption": "a man", "top_k": 2.5},
        {"caption": "a man", "top_k": True},
        {"caption": "a man", "where": 5},
        {"caption": "a man", "mode": ["fused"]},
        {"caption": "\u200b\u2060\u3164"},
        {"caption": ["", " \u00a0", "…!"]},
        {"caption": ()},
    ],
)
def test_what_is_no_query_is_refused(gallery: Gallery, options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        gallery.query(**options)


def test_a_list_that_is_no_list_of_pairs_or_a_path_that_is_none(gallery: Gallery, model: FaceTextModel) -> None:
    with pytest.raises(InputError, match="pairs"):
        gallery.query_many(["a.jpg"])  # type: ignore[list-item]
    for nothing in (None, 7):
        with pytest.raises(InputError, match="index directory"):
            Gallery.open(nothing, model=model)  # type: ignore[arg-type]


def test_no_error_echoes_a_photo(gallery: Gallery) -> None:
    large = b"x" * 3_000_000
    for form in (large, bytearray(large), memoryview(large), large.decode(), Path(large.decode())):
        with pytest.raises(TgfrError) as caught:
            gallery.query(form)
        assert len(str(caught.value)) < 5 * ECHO
        assert len("".join(traceback.format_exception_only(caught.value))) < 5 * ECHO
    with pytest.raises(IndexerError) as refused:
        gallery.query(caption="a man", where="x = '" + "y" * 3_000_000)
    assert len(str(refused.value)) < 5 * ECHO
    assert len(str(NotAnIndexError("y" * 9_000_000, found="z" * 9_000_000))) < 5 * ECHO


def test_bytes_that_are_no_text_do_not_end_a_query(gallery: Gallery) -> None:
    """Half an emoji, or a command line in another encoding: surrogates to Python, and no tokenizer takes them."""
    want = gallery.query(caption="a man ? with black hair")
    for odd in ("\ud83d", "\udce9"):
        assert gallery.query(caption=f"a man {odd} with black hair").candidates == want.candidates


def test_a_picture_of_a_few_pixels_is_no_aligned_face() -> None:
    finder = FaceFinder(FaceOptions(aligned=True))
    for side in (1, 7):
        buffer = io.BytesIO()
        Image.new("RGB", (side, side)).save(buffer, "PNG")
        with pytest.raises(FaceError) as caught:
            finder.find(buffer.getvalue())
        assert caught.value.reason is Reason.NOT_A_CHIP


def test_what_was_asked_for_and_not_done_is_told(gallery: Gallery, probe: Path) -> None:
    assert gallery.query(probe, caption="The man has black hair.").notes == ()
    assert "put otherwise" in gallery.query(probe, caption="a man with black hair").notes[0]
    assert "no description" in gallery.query(probe, mode="fused").notes[0]
    assert "no photo" in gallery.query(caption="a man", mode="fused").notes[0]
    assert "left out" in gallery.query(probe, caption="\u200b").notes[0]
    assert "cut" in gallery.query(caption="a man with very black hair " * 100).notes[0]
    said = gallery.query(caption="a bald man with long hair")
    assert "contradicts itself" in said.notes[0]
    assert said.as_dict()["notes"] == said.notes
    assert "only denies" in gallery.query(caption="no glasses and no beard").notes[0]
    assert "Pitt" in gallery.query(caption="a man who looks like Brad Pitt").notes[0]


def test_another_language_is_refused_and_never_ranked(gallery: Gallery, probe: Path) -> None:
    line = "ein alter Mann mit Brille"
    for image in (None, probe):
        with pytest.raises(InputError, match=r"German.*English.*translate") as refused:
            gallery.query(image, caption=line)
        assert refused.value.found
    want = gallery.query(probe)
    assert gallery.query(probe, caption=line, mode="image").candidates == want.candidates  # its words are not read
