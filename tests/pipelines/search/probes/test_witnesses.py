"""Several witnesses: what their words weigh, and that the score is the mixture that it is said to be."""

from pathlib import Path

import numpy as np
import pytest

from pipelines.enrol.index import IndexSummary
from pipelines.search.gallery import Gallery
from tgfr_search.app.cli.query import told_witnesses
from tgfr_search.errors import InputError
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.witnesses import SLIP, Witness, likelihood, share_of, weight_of
from tgfr_search.types import QueryResult


@pytest.fixture(scope="module")
def gallery(enrolled: tuple[Path, IndexSummary], model: FaceTextModel) -> Gallery:
    return Gallery.open(enrolled[0], model=model)


@pytest.fixture(scope="module")
def probe(demo: Path) -> Path:
    return sorted(demo.glob("probes-degraded/*"))[0]


def _scores(result: QueryResult) -> dict[int, float]:
    return {hit.row_id: hit.score for hit in result.candidates}


def test_a_weight_by_hand() -> None:
    """Glasses, that one face in ten has and this one surely has, at r = ½: L = 1.02 / 0.12, w = L / (L + 1)."""
    ratio = likelihood({"eyeglasses": 1.0}, {"eyeglasses": 1.0}, {"eyeglasses": 0.1})
    assert ratio == pytest.approx((1 + SLIP) / (0.1 + SLIP))
    assert weight_of(0.5, ratio) == pytest.approx(ratio / (ratio + 1))
    assert likelihood({"male": 0.0}, {"male": 0.9}, {"male": 0.5}) == pytest.approx(1.0)
    assert likelihood({"male": -1.0}, {"male": 1.0}, {"male": 0.5}) < 0.05
    assert likelihood({"male": 1.0}, {"male": float("nan")}, {"male": 0.5}) == 1.0
    assert weight_of(1.0, 1e-6) == 1.0
    assert weight_of(0.0, 1e6) == 0.0
    assert share_of(4) == 0.5


def test_a_sure_witness_is_a_caption_and_one_without_reliability_is_nobody(gallery: Gallery, probe: Path) -> None:
    said = ("This person has black hair.", "a woman with no glasses")
    plain, image = gallery.query(probe, caption=said, top_k=12), gallery.query(probe, top_k=12)
    sure = gallery.query(probe, witnesses=[Witness(said)], top_k=12)
    nobody = gallery.query(probe, witnesses=[(said, 0)], top_k=12)
    assert _scores(sure) == pytest.approx(_scores(plain), abs=1e-3)
    assert _scores(nobody) == pytest.approx(_scores(image), abs=1e-3)
    assert sure.weights == pytest.approx(plain.weights)
    assert nobody.description is not None
    assert nobody.description["witnesses"][0]["weight"] == 0.0


def test_two_witnesses_are_the_mixture_of_their_searches(gallery: Gallery, probe: Path) -> None:
    told = [("a man with a beard", 0.9), (("a young woman", "she had blond hair"), 0.4)]
    result = gallery.query(probe, witnesses=told, top_k=12)
    assert result.description is not None
    weights = [own["weight"] for own in result.description["witnesses"]]
    image = _scores(gallery.query(probe, top_k=12))
    each = [_scores(gallery.query(probe, caption=said, top_k=12)) for said, _ in told]
    # A subject's best row may be another in each search.
    common = {row: value for row, value in _scores(result).items() if all(row in own for own in (image, *each))}
    assert len(common) > 4
    for row, value in common.items():
        expected = image[row] + sum(
            w / np.sqrt(2) * (own[row] - image[row]) for w, own in zip(weights, each, strict=True)
        )
        assert value == pytest.approx(expected, abs=2e-3)
    for hit in result.candidates:
        assert sum(hit.blocks.values()) + result.offset == pytest.approx(hit.score, abs=1e-3)
        assert hit.lr is None or hit.lr["log10"] is None  # such words were never calibrated
    assert min(weights) < 0.4  # nobody is a bearded man and a young woman
    assert any("do not fit what the photo shows" in note for note in result.notes)


def test_witnesses_beside_several_pictures(gallery: Gallery, demo: Path) -> None:
    """As beside one: a sure one is a caption, one without reliability nobody, two the mixture of their searches."""
    pictures = sorted((demo / "gallery/person0002").glob("*.png"))[:2]

    def ask(**given: object) -> QueryResult:
        return gallery.query(images=pictures, top_k=12, **given)  # type: ignore[arg-type]

    told = [("a man with a beard", 0.9), (("a young woman", "she had blond hair"), 0.4)]
    image, result = _scores(ask()), ask(witnesses=told)
    each = [_scores(ask(caption=said)) for said, _ in told]
    assert result.description is not None
    weights = [own["weight"] for own in result.description["witnesses"]]
    common = {row: value for row, value in _scores(result).items() if all(row in own for own in (image, *each))}
    assert len(common) > 4
    for row, value in common.items():
        parts = (w / np.sqrt(2) * (own[row] - image[row]) for w, own in zip(weights, each, strict=True))
        assert value == pytest.approx(image[row] + sum(parts), abs=2e-3)
    for hit in result.candidates:
        assert sum(hit.blocks.values()) + result.offset == pytest.approx(hit.score, abs=1e-3)
        assert hit.lr is None or hit.lr["log10"] is None
    assert any("do not fit what the photo shows" in note for note in result.notes)
    assert [len(own["candidates"]) for own in result.probe["pictures"]] == [12, 12]
    assert _scores(ask(witnesses=[(told[0][0], 1)])) == pytest.approx(each[0], abs=1e-3)
    assert _scores(ask(witnesses=[(told[0][0], 0)])) == pytest.approx(image, abs=1e-3)
    with pytest.raises(InputError, match="image, and witnesses"):
        ask(witnesses=told, mode="image")


def test_words_alone_of_two_witnesses(gallery: Gallery) -> None:
    result = gallery.query(witnesses=[("a woman", 1.0), ("someone with glasses", 0.5)], top_k=12)
    one, two = (gallery.query(caption=said, top_k=12) for said in ("a woman", "someone with glasses"))
    a, b = _scores(one), _scores(two)
    common = {row: value for row, value in _scores(result).items() if row in a and row in b}
    assert len(common) > 4
    for row, value in common.items():
        assert value == pytest.approx((a[row] + 0.5 * b[row]) / np.sqrt(2), abs=1e-3)


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ([("a man", 1.5)], "0 to 1"),
        ([("a man", -0.1)], "0 to 1"),
        ([("a man", float("nan"))], "0 to 1"),
        ([("a man", "high")], "0 to 1"),
        ([(" … ", 0.5)], "witness 1"),
        ([("a man", 0.5), ("der Mann hat einen Bart und keine Brille", 0.5)], "English"),
        ([], "one or more"),
        ("a man", "one or more"),
        (["a man"], "Witness"),
    ],
)
def test_witnesses_that_are_none_are_refused(gallery: Gallery, told: object, text: str) -> None:
    with pytest.raises(InputError, match=text):
        gallery.query(witnesses=told)  # type: ignore[arg-type]


def test_witnesses_beside_a_caption_or_for_the_image_alone_are_refused(gallery: Gallery, probe: Path) -> None:
    with pytest.raises(InputError, match="caption"):
        gallery.query(probe, caption="a man", witnesses=[("a man", 0.5)])
    with pytest.raises(InputError, match="image"):
        gallery.query(probe, witnesses=[("a man", 0.5)], mode="image")


def test_the_command_line_pairs_words_with_reliability() -> None:
    assert told_witnesses(["a man\nwith a hat", "a boy"], [0.5, 1.0]) == [
        (["a man", "with a hat"], 0.5),
        (["a boy"], 1.0),
    ]
    assert told_witnesses(["a man"], None) == [(["a man"], 1.0)]
    assert told_witnesses(None, None) is None
    with pytest.raises(InputError, match="reliability"):
        told_witnesses(["a man", "a boy"], [0.5])
    with pytest.raises(InputError, match="reliability"):
        told_witnesses(None, [0.5])
