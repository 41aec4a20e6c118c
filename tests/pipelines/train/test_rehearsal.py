"""`train --dry-run`: every configuration of the paper builds and takes its steps; a wrong one is told."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from pipelines.faces.features import feature_bytes
from pipelines.train.rehearsal import check_options, rehearsal_face, rehearse
from pipelines.train.updates import Updater
from tgfr_search.app.cli.main import app
from tgfr_search.encoders.base import FaceSpec
from tgfr_search.errors import InputError, OptionsError
from tgfr_search.options import TrainOptions
from tgfr_search.strict import load_toml, to_dict

FOLDER = Path(__file__).resolve().parents[3] / "configs"
PAPER = sorted((FOLDER / "paper").glob("*.toml"))
OURS = FOLDER / "paper/adaface-mmceleba-tgfr.toml"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("pipelines.train.score_weights.SCORE_STEPS", 2)
    monkeypatch.setenv("TGFR_MODELS", str(tmp_path / "models"))
    torch.set_num_threads(1)


def different() -> list[Path]:
    """A configuration of each kind: the same one for another data set would rehearse the same.

    Nor does the other face encoder change what happens behind it, so that one configuration of it is enough.
    """
    out: dict[str, Path] = {}
    faces: dict[str, Path] = {}
    for path in PAPER:
        tree = to_dict(load_toml(path, TrainOptions))
        tree["data"] = {k: v for k, v in tree["data"].items() if k not in ("path", "licence")}
        face = tree["model"].pop("face_encoder")
        out.setdefault(json.dumps({**tree, "name": ""}, sort_keys=True), path)
        if path.stem.endswith("-tgfr"):
            faces.setdefault(face, path)
    return sorted({*out.values(), *faces.values()})


@pytest.mark.parametrize("path", different(), ids=lambda path: path.stem)
def test_a_configuration_of_the_paper(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = load_toml(path, TrainOptions)
    steps: list[str] = []
    real = Updater.__call__

    def spy(self: Updater, inputs: object) -> object:
        steps.append(type(self.module).__name__)
        return real(self, inputs)  # type: ignore[arg-type]

    monkeypatch.setattr(Updater, "__call__", spy)
    told = rehearse(options)
    assert steps == ["AlignLoss"] * 2 + ["FuseLoss"] * 2
    assert told["name"] == path.stem == options.name
    assert told["face"] == f"{options.model.face_encoder}, random weights"
    assert told["cache_bytes_a_face"] == 2 * (512 * 4 + 256 * 14 * 14 * 2)


@pytest.mark.parametrize(("name", "cells"), [("sface", 512 * 4 * 4), ("control", 256 * 4 * 4)])
def test_a_configuration_on_eyes_that_are_there(name: str, cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER.parent)  # it names them as they lie in the repository
    options = load_toml(FOLDER / f"{name}.toml", TrainOptions)
    told = rehearse(options)
    assert told["face"] == f"{options.model.face_encoder}, real"
    dim = {"sface": 4 * 128 + 48, "control": 256}[name]
    assert told["cache_bytes_a_face"] == len(options.data.views) * 2 * (4 * dim + 2 * cells)


@pytest.mark.parametrize("path", PAPER, ids=lambda path: path.stem)
def test_the_values_of_the_paper(path: Path) -> None:
    """§4.2."""
    options = load_toml(path, TrainOptions)
    check_options(options)
    assert options.name == path.stem
    align, fuse = options.align, options.fuse
    assert (align.epochs, 2 * align.batch, align.head_lr, align.weight_decay) == (20, 16, 1e-3, 0.01)
    assert (fuse.epochs, fuse.milestones, fuse.optimiser) == (36, (6, 24), "sgd")
    assert (fuse.lr, fuse.momentum, fuse.weight_decay) == (0.1, 0.9, 1e-4)
    assert (options.score, options.data.views, options.model.regions) == ("fused", ("original",), "256x14x14")


def test_every_row_of_the_tables_has_its_configuration() -> None:
    faces = [f"{face}-{data}" for face in ("adaface", "arcface") for data in ("mmceleba", "face2text", "celeba-dialog")]
    table2 = {f"{face}-{method}" for face in faces for method in ("bilstm-flf", "bert-flf", "cgfr", "tgfr")}
    table3 = {f"table3-identity{more}" for more in ("", "-cicl", "-wrcl", "-imcl")}
    table4 = {f"table4-{text}" for text in ("bert", "clip", "blip", "groupvit", "flava")}
    assert {path.stem for path in PAPER} == table2 | table3 | table4
    read_me = (FOLDER / "paper/README.md").read_text(encoding="utf-8")
    for word in ("Table 2", "Table 3", "Table 4", "Table 5", "model add adaface-ir18", "model add arcface-r18"):
        assert word in read_me


def test_what_tells_the_configurations_apart() -> None:
    def of(name: str) -> TrainOptions:
        return load_toml(FOLDER / f"paper/{name}.toml", TrainOptions)

    losses = [("wrcl", 1.0), ("identity", 100.0), ("cicl", 2.0), ("imcl", 1.0)]
    for alone in ("cicl", "wrcl", "imcl"):
        loss = of(f"table3-identity-{alone}").loss
        assert all(getattr(loss, name) == (weight if name in ("identity", alone) else 0.0) for name, weight in losses)
    assert all(getattr(of("adaface-mmceleba-tgfr").loss, name) == weight for name, weight in losses)
    assert of("table4-clip").model.text_encoder == "hub:openai/clip-vit-base-patch32"
    assert of("arcface-face2text-tgfr").model.face_encoder == "arcface-r18"
    cgfr = of("adaface-mmceleba-cgfr")
    assert (cgfr.model.fusion, cgfr.model.text_refinement, cgfr.align.text_lr) == ("cgfr", True, 0.0)
    assert (cgfr.loss.cmpc, cgfr.loss.damsm, cgfr.loss.cicl) == (1.0, 1.0, 0.0)


def changed(**model: object) -> TrainOptions:
    options = load_toml(OURS, TrainOptions)
    return dataclasses.replace(options, model=dataclasses.replace(options.model, **model))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        ({"regions": "256x7x7"}, InputError, "regions '256x7x7'; expected: of adaface-ir18: 256x14x14"),
        ({"heads": 3}, OptionsError, r"adaface-mmceleba-tgfr: rehearsal; found: .*divisible by"),
        ({"fusion": "sum"}, OptionsError, "fusion 'sum'; expected: fcfm, flf or cgfr"),
        ({"face_encoder": "adaface-ir19"}, InputError, "adaface-ir19.*one of: dlib-resnet, .*adaface-ir18.*model add"),
        ({"text_encoder": "hub:lab/other"}, InputError, "hub:lab/other.*one of: .*hub:kakaobrain/align-base"),
        ({"text_encoder": "/models/none"}, InputError, "neither a folder nor a known name"),
    ],
)
def test_parts_that_do_not_fit(model: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        rehearse(changed(**model))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[fuse]\noptimiser = 'sdg'", "fuse.optimiser 'sdg'; expected: one of: sgd, adam"),
        ("[align]\ncaptions = 'first'", "align.captions 'first'; expected: one of: drawn, constant"),
        ("[align]\naccumulate = 0", "align.accumulate; found: 0; expected: 1 or more"),
        ("[fuse]\nmilestones = [6, 36]", "fuse.milestones; found: 36; expected: below fuse.epochs, 36"),
    ],
)
def test_values_that_there_are_not(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "o.toml").write_text(f"name = 'x'\n[data]\npath = 'x.parquet'\n{text}")
    with pytest.raises(OptionsError, match=message):
        check_options(load_toml(tmp_path / "o.toml", TrainOptions))


def test_the_command(tmp_path: Path) -> None:
    arguments = ["train", "--config", str(OURS), "--json"]
    out = CliRunner().invoke(app, [*arguments, "--dry-run"], catch_exceptions=False)
    assert out.exit_code == 0
    assert json.loads(out.stdout)["text"] == "align, made small, random weights"
    with pytest.raises(InputError, match="--out runs/NAME, or --dry-run"):
        CliRunner().invoke(app, arguments, catch_exceptions=False)
    (tmp_path / "o.toml").write_text(OURS.read_text() + "[align]\n")  # a table twice is no TOML
    with pytest.raises(OptionsError, match="valid TOML"):
        CliRunner().invoke(app, ["train", "--config", str(tmp_path / "o.toml"), "--dry-run"], catch_exceptions=False)


def test_the_random_network_is_the_named_one() -> None:
    encoder, told = rehearsal_face("arcface-r18", "256x14x14")
    assert told == "arcface-r18, random weights"
    assert (encoder.spec.dim, encoder.spec.regions, encoder.spec.input_size) == (512, (256, 14, 14), 112)
    assert encoder.spec.preprocessing.startswith("rgb")


def test_the_estimate_of_the_feature_cache() -> None:
    """The maps of 22,901 faces in float16 are 2.3 GB for one view and one orientation."""
    spec = FaceSpec("x", "x", 112, 512, (256, 14, 14), "", "")
    assert feature_bytes(22_901, 1, spec) == 22_901 * 2 * (2048 + 100_352)
    assert round(22_901 * 100_352 / 1e9, 1) == 2.3
