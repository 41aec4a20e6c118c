"""Derivatives, faces that were chosen, calibrations that were given, rules of a laboratory: kept, logged, run again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from pipelines.casework.case import Case
from pipelines.casework.evidence import about, derive, steps_to
from pipelines.casework.facts import facts_of
from pipelines.casework.lab import Lab
from pipelines.casework.overview import overview
from pipelines.casework.replay import replay
from pipelines.casework.search import search
from pipelines.enrol.index import IndexSummary
from pipelines.search.gallery import Gallery
from tgfr_search.app.cli.main import app
from tgfr_search.audit.verify import check_log
from tgfr_search.errors import InputError
from tgfr_search.faces.choice import FaceChoice
from tgfr_search.model.checkpoint import FaceTextModel


@pytest.fixture(scope="module")
def gallery(enrolled: tuple[Path, IndexSummary], model: FaceTextModel) -> Gallery:
    return Gallery.open(enrolled[0], model=model)


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


def test_the_commands(enrolled: tuple[Path, IndexSummary], pair: Path, tmp_path: Path) -> None:
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
    asked = ("search", folder, "--index", str(enrolled[0]), "--top-k", "2")
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
