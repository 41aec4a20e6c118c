"""What a description states moves the search, and the answer says what was understood."""

from pathlib import Path

import numpy as np
import pytest

from pipelines.enrol.index import IndexSummary
from pipelines.search.answers.understood import understood_text
from pipelines.search.explain.explain import explain
from pipelines.search.gallery import Gallery
from tgfr_search.model.loaded import FaceTextModel


@pytest.fixture(scope="module")
def gallery(enrolled: tuple[Path, IndexSummary], model: FaceTextModel) -> Gallery:
    return Gallery.open(enrolled[0], model=model)


def _z(gallery: Gallery, attribute: str, rows: list[int]) -> np.ndarray:
    own = gallery.model.directions
    assert own is not None
    seen = own.seen(gallery.store.split(gallery.store.vectors(rows)))
    return np.asarray(seen[:, own.attributes.index(attribute)])


@pytest.mark.parametrize("said", ["not a man", "no man", "not male"])
def test_a_description_of_only_denials_ranks_by_what_it_denies(gallery: Gallery, said: str) -> None:
    result = gallery.query(caption=said, top_k=12)
    assert len(result.candidates) == 12
    shown = _z(gallery, "male", [hit.row_id for hit in result.candidates])
    assert shown[:3].mean() < shown[-3:].mean() - 0.5
    assert any("only denies" in note for note in result.notes)


def test_the_opposite_of_a_description_ranks_otherwise(gallery: Gallery) -> None:
    plain, denied = (gallery.query(caption=said, top_k=12) for said in ("a person with glasses", "nobody with glasses"))
    for result, sign in ((plain, 1), (denied, -1)):
        z = _z(gallery, "eyeglasses", [hit.row_id for hit in result.candidates])
        assert sign * (z[:4].mean() - z[-4:].mean()) > 0


@pytest.mark.parametrize("mode", ["caption", "fused"])
def test_shares_of_statements_are_exact(gallery: Gallery, demo: Path, mode: str) -> None:
    said = ("a woman with no eyeglasses", "she might have had bangs", "an orange scarf")
    image = sorted(demo.glob("probes-degraded/*"))[0]
    result = gallery.query(image if mode == "fused" else None, caption=said, top_k=3)
    out = explain(gallery, result, image if mode == "fused" else None, said, count=3)
    for hit, own in zip(result.candidates, out.candidates, strict=True):
        assert {s.attribute: s.claim for s in own.statements} == {"male": -1.0, "eyeglasses": -1.0, "bangs": 0.5}
        assert {s.attribute: s.words for s in own.statements}["eyeglasses"] == ("no eyeglasses",)
        share = sum(s.adds for s in own.statements)
        assert hit.blocks["statements"] == pytest.approx(share, abs=1e-4)
        assert sum(hit.blocks.values()) + result.offset == pytest.approx(hit.score, abs=1e-4)
        assert sum(own.terms.values()) + share + own.offset == pytest.approx(hit.score, abs=1e-3)
        for one in own.statements:
            z = _z(gallery, one.attribute, [hit.row_id])[0]
            assert gallery.model.directions is not None
            weights = gallery.model.directions.weights_of(gallery.model.directions.claims(said, mode))
            assert one.adds == pytest.approx(weights[one.attribute] * z, abs=1e-5)
            assert weights[one.attribute] * one.claim > 0


def test_without_the_word_no_the_statement_turns_round(gallery: Gallery) -> None:
    said = "a person with no eyeglasses"
    own = explain(gallery, gallery.query(caption=said, top_k=1), None, said, count=1).candidates[0]
    without = next(word.effect for word in own.words if word.text == "no")
    glasses = next(s.adds for s in own.statements if s.attribute == "eyeglasses")
    left = gallery.query(caption="a person with eyeglasses", where=f"row_id = {own.row_id}").candidates[0].score
    assert without == pytest.approx(own.score - left, abs=0.05)
    assert abs(without) > abs(glasses)


def test_the_answer_says_what_was_understood(gallery: Gallery) -> None:
    said = ("a man with no beard, perhaps with glasses", "he had a zweihander, and was bald with long hair")
    told = gallery.query(caption=said, top_k=1).as_dict()["description"]
    by_words = {s["words"]: s for s in told["statements"]}
    assert by_words["beard"]["denied"]
    assert by_words["beard"]["holds"]  # no_beard
    assert by_words["beard"]["moves"] == by_words["glasses"]["moves"] == "statements"
    assert by_words["glasses"]["sure"] == 0.5
    assert by_words["long hair"]["moves"] == "text"  # no face is judged by it
    assert told["unread"] == ["zweihander"]
    assert len(told["clashes"]) == 1
    assert understood_text(told) == "male; no beard; perhaps eyeglasses; bald; long hair"


def test_no_words_no_description(gallery: Gallery, demo: Path) -> None:
    image = sorted(demo.glob("probes-degraded/*"))[0]
    assert gallery.query(image, caption="a man", mode="image", top_k=1).description is None
    assert "statements" not in gallery.query(image, top_k=1).candidates[0].blocks
