"""Derivatives, faces that were chosen, calibrations that were given, rules of a laboratory: kept, logged, run again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from pipelines.casework.case.case import Case
from pipelines.casework.case.evidence import about, derive, steps_to
from pipelines.casework.case.lab import Lab
from pipelines.casework.report.facts import facts_of
from pipelines.casework.report.overview import overview, search_told
from pipelines.casework.searches.replay import replay
from pipelines.casework.searches.search import Picture, search
from pipelines.search.gallery import Gallery
from tgfr_search.app.cli.main import app
from tgfr_search.audit.verify import check_log
from tgfr_search.errors import InputError
from tgfr_search.faces.choice import FaceChoice
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.witnesses import Witness


@pytest.fixture(scope="module")
def gallery(held: Path, model: FaceTextModel) -> Gallery:
    return Gallery.open(held, model=model)


@pytest.fixture(scope="module")
def pair(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people in one photo, the second one smaller."""
    faces = [next((demo / f"gallery/person{who:04d}").glob("*.png")) for who in (0, 5)]
    with Image.open(faces[0]) as first, Image.open(faces[1]) as second:
        photo = Image.new("RGB", (first.width + second.width, first.height), "white")
        photo.paste(first.convert("RGB"), (0, 0))
        small = second.convert("RGB").resize((second.width * 3 // 4, second.height * 3 // 4))
        photo.paste(small, (first.width, 20))
    path = tmp_path_factory.mktemp("pair") / "pair.png"
    photo.save(path)
    return path


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case.new(tmp_path / "case", purpose="p", basis="b", actor="examiner-1")


def test_the_face_that_was_chosen_is_kept_and_chosen_again(case: Case, gallery: Gallery, pair: Path) -> None:
    name = case.add(pair, actor="examiner-1")
    _, largest = search(case, gallery, actor="examiner-1", evidence=name, top_k=3)
    assert largest.candidates[0].subject_id == "person0000"
    _, second = search(case, gallery, actor="examiner-1", evidence=name, top_k=3, face=FaceChoice(2))
    assert second.candidates[0].subject_id == "person0005"
    box = tuple(float(edge) for edge in second.probe["faces"][1]["box"])
    corners = second.probe["faces"][1]["points"]  # of the right eye, then of the left one, from outside
    eyes = [((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in (corners[2:4], corners[:2])]
    search(case, gallery, actor="examiner-1", evidence=name, top_k=3, face=FaceChoice(box=box))  # type: ignore[arg-type]
    _, by_hand = search(case, gallery, actor="examiner-1", evidence=name, top_k=3, face=FaceChoice(points=tuple(eyes)))
    assert [case.read_search(f"S000{at}")["asked"]["face"] for at in (1, 2)] == [None, {"number": 2}]
    assert by_hand.candidates[0].subject_id == "person0005"
    again = Case.open(case.folder)
    assert [replay(again, gallery, f"S000{at}", actor="a").differs for at in (1, 2, 3, 4)] == [()] * 4


def test_a_derivative_names_its_parent_and_what_was_done(
    case: Case, gallery: Gallery, pair: Path, tmp_path: Path
) -> None:
    name = case.add(pair, actor="examiner-1", kind="video frame")
    with Image.open(pair) as photo:
        photo.crop((0, 0, photo.width // 2, photo.height)).save(tmp_path / "crop.png")
    one = derive(case, name, tmp_path / "crop.png", actor="examiner-1", operation="crop", parameters={"left": 0.0})
    two = derive(case, one, tmp_path / "crop.png", actor="examiner-1", operation="sharpen")
    assert (one, two, steps_to(case, two), steps_to(case, name)) == ("D0001.png", "D0002.png", ("crop", "sharpen"), ())
    assert case.evidence(one) == (tmp_path / "crop.png").read_bytes()
    assert about(case)[two]["kind"] == "video-frame"
    refused = []
    for evidence in (one, two):
        _, result = search(case, gallery, actor="examiner-1", evidence=evidence, top_k=2)
        refused.append((result.candidates[0].lr or {})["refused"])
    assert refused == [None, "enhanced"]
    drawn = derive(case, one, tmp_path / "crop.png", actor="examiner-1", operation="super-resolution")
    _, result = search(case, gallery, actor="examiner-1", evidence=drawn, top_k=2)
    assert (result.candidates[0].lr or {})["refused"] == "generated_detail"
    told = [entry["processing"] for entry in case.entries() if entry["act"] == "search"]
    assert told == [["crop"], ["crop", "sharpen"], ["crop", "super-resolution"]]
    assert overview(case)["derived"][0] == {
        "name": one, "kind": "video-frame", "parent": name, "operation": "crop", "parameters": {"left": 0}
    }  # fmt: skip
    assert [each["name"] for each in overview(case)["evidence"]] == [name]
    assert replay(case, gallery, "S0002", actor="a").same
    assert check_log(case.folder / "audit").problems == []
    (case.folder / "derived" / one).write_bytes(b"another")
    with pytest.raises(InputError, match="other bytes"):
        search(case, gallery, actor="examiner-1", evidence=one)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"operation": "magic"}, "--operation"),
        ({"operation": "crop", "parameters": {"Erika": 1.0}}, "--set"),
        ({"operation": "crop", "parent": "E0009.png"}, "E0009"),
    ],
)
def test_what_is_no_derivative(case: Case, pair: Path, given: dict[str, Any], what: str) -> None:
    name = case.add(pair, actor="examiner-1")
    with pytest.raises(InputError, match=what):
        derive(case, given.pop("parent", name), pair, actor="examiner-1", **given)
    assert not (case.folder / "derived").exists()


def test_the_calibration_that_was_given_is_kept_and_used_again(
    case: Case, gallery: Gallery, pair: Path, tmp_path: Path
) -> None:
    name = case.add(pair, actor="examiner-1")
    own = gallery.model.folder / "calibration.json"
    tree = json.loads(own.read_text())
    tree["population"]["name"] = "of our laboratory"
    file = tmp_path / "lab.json"
    file.write_text(json.dumps(tree))
    _, given = search(case, gallery, actor="examiner-1", evidence=name, top_k=2, calibration=file)
    search(case, gallery, actor="examiner-1", evidence=name, top_k=2, calibration=file)
    _, none = search(case, gallery, actor="examiner-1", evidence=name, top_k=2, calibration="none")
    assert (given.calibration or {})["population"] == "of our laboratory"
    assert (none.calibration, (none.candidates[0].lr or {})["refused"]) == (None, "no_calibration")
    file.unlink()
    assert [replay(case, gallery, f"S000{at}", actor="a").differs for at in (1, 2, 3)] == [()] * 3
    assert len(list((case.folder / "calibrations").iterdir())) == 1
    tree["binding"]["model_id"] = tree["binding"]["contract_sha256"] = "another"
    file.write_text(json.dumps(tree))
    with pytest.raises(InputError, match="another"):
        search(case, gallery, actor="examiner-1", evidence=name, calibration=file)
    assert len([entry for entry in case.entries() if entry["act"] == "calibration received"]) == 1


def test_the_commands(held: Path, pair: Path, tmp_path: Path) -> None:
    run, folder = CliRunner(), str(tmp_path / "case")

    def call(*given: str) -> Any:
        done = run.invoke(app, ["case", *given, "--json"])
        if done.exception is not None:
            raise done.exception
        return json.loads(done.stdout)

    lab = tmp_path / "lab.toml"
    lab.write_text('required = ["reference"]\nbases = ["law 1", "law 2"]\ndeclared_origin = true\n')
    start = ("new", folder, "--purpose", "p", "--lab", str(lab), "--basis")
    with pytest.raises(InputError, match="no reference"):
        call(*start, "law 1")
    with pytest.raises(InputError, match="law 1; law 2"):
        call(*start, "law 3", "--field", "reference=12 Js 3/26")
    call(*start, "law 1", "--field", "reference=12 Js 3/26")
    assert Case.open(Path(folder)).fields == {"reference": "12 Js 3/26"}
    shutil.copyfile(pair, tmp_path / "photo.png")
    asked = ("search", folder, "--index", str(held), "--top-k", "2")
    call(*asked, str(pair), "--face", "2", "--calibration", "none")
    assert call("derive", folder, "E0001.png", str(pair), "--operation", "crop", "--set", "left=1") == {
        "derived": "D0001.png"
    }
    assert call(*asked, "D0001.png")["evidence"] == "D0001.png"
    for given, what in (
        (("--caption", "a man"), "--origin"),
        (("D0001.png", "--kind", "still"), "--kind"),
        (("--caption", "a man", "--face", "1"), "no probe"),
    ):
        with pytest.raises(InputError, match=what):
            call(*asked, *given)
    with pytest.raises(InputError, match="left=10"):
        call("derive", folder, "E0001.png", str(pair), "--operation", "crop", "--set", "left=a")
    assert call("replay", folder, "S0002")["same"]


def test_rules_of_a_laboratory_stay_with_the_case(tmp_path: Path) -> None:
    lab = Lab(required=("reference",), declared_origin=True)
    case = Case.new(tmp_path / "case", purpose="p", basis="b", actor="a", fields={"reference": "x"}, lab=lab)
    assert Case.open(case.folder).lab == lab
    assert facts_of(case).case["fields"] == {"reference": "x"}


def test_several_pictures_of_one_unknown_are_kept_and_pooled_again(
    case: Case, gallery: Gallery, pair: Path, demo: Path, tmp_path: Path
) -> None:
    Image.new("RGB", (200, 200), "white").save(tmp_path / "wall.png")
    other = sorted((demo / "gallery/person0005").glob("*.png"))[-1]
    names = [case.add(path, actor="a") for path in (pair, tmp_path / "wall.png", other)]
    more = [Picture(names[1]), Picture(names[2], FaceChoice(1))]
    _, result = search(case, gallery, actor="a", evidence=names[0], face=FaceChoice(2), more=more, top_k=3)
    assert result.candidates[0].subject_id == "person0005"
    assert result.probe["pictures"][1]["error"]["reason"] == "no_face"
    images, choices = [pair, tmp_path / "wall.png", other], [FaceChoice(2), None, None]
    straight = gallery.query(images=images, choices=choices, top_k=3)
    assert [hit.score for hit in result] == [hit.score for hit in straight]
    assert result.candidates[0].score > gallery.query(images=images, top_k=3).candidates[0].score, "another face"
    kept = case.read_search("S0001")
    assert kept["evidence"] == names[0]
    assert kept["asked"]["pictures"] == [
        {"evidence": names[0], "face": {"number": 2}},
        {"evidence": names[1], "face": None},
        {"evidence": names[2], "face": {"number": 1}},
    ]
    assert search_told(case, "S0001")["pictures"] == names
    assert replay(case, gallery, "S0001", actor="a").differs == ()
    with pytest.raises(InputError, match="one picture twice"):
        search(case, gallery, actor="a", evidence=names[0], more=[Picture(names[0])])


def test_a_drawing_among_several_pictures_has_no_ratio(case: Case, gallery: Gallery, demo: Path) -> None:
    photo, drawing = sorted((demo / "gallery/person0005").glob("*.png"))[:2]
    names = [case.add(photo, actor="a"), case.add(drawing, actor="a", kind="sketch")]
    _, result = search(case, gallery, actor="a", evidence=names[0], more=[Picture(names[1])], top_k=2)
    assert {(hit.lr or {})["refused"] for hit in result} == {"not_a_photograph_of_the_person"}


def test_witnesses_are_kept_with_what_they_are_believed(case: Case, gallery: Gallery, demo: Path) -> None:
    photo = case.add(next((demo / "gallery/person0000").glob("*.png")), actor="a")
    said = [Witness(("a man with a beard",), 0.8), Witness(("he was old", "no glasses"), 0.3)]
    _, result = search(case, gallery, actor="a", evidence=photo, witnesses=said, origin="witness", top_k=3)
    kept = case.read_search("S0001")
    assert kept["asked"]["lines"] == ["a man with a beard", "he was old", "no glasses"]
    assert kept["asked"]["witnesses"][1] == {"lines": ["he was old", "no glasses"], "reliability": 0.3}
    straight = gallery.query(case.evidence(photo), witnesses=said, top_k=3)
    assert [hit.score for hit in result] == [hit.score for hit in straight]
    assert replay(case, gallery, "S0001", actor="a").differs == ()
    with pytest.raises(InputError, match="lines, and witnesses"):
        search(case, gallery, actor="a", lines=["old"], witnesses=said)
