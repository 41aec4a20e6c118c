"""Gives a trained model further face encoders: its trained modules stay, the score weights are fitted anew on valid.

    python -m pipelines.tools.join_faces MODEL --config TOML --member ENCODER=BLOCK,BLOCK [--member …] --out FOLDER
        [--once ENCODER …] [--attributes FOLDER] [--detector NAME] [--same-person FILE]

The members stand in the template in the order given; `self` is MODEL's own face encoder, whose map and blocks the
trained modules go on reading; an encoder that is named by --once is not averaged over the mirrored face. --attributes
is the folder of what reads a block of attributes off the members' maps (`fit_attribute_reader`). --detector is what
finds this model's faces unless a command or an index says otherwise. The configuration says which data, split and seed,
--same-person what was decided about their labels; FOLDER is a model like any other.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import tgfr_search
from pipelines.faces.aligned import load_chips, relabelled, silent
from pipelines.faces.features import load_features
from pipelines.train.attributes.statements import carry_statements
from pipelines.train.score_weights import fit_scores, rank1_by_level
from pipelines.train.sets import LEVELS
from pipelines.train.trial import ValidSet, make_trial
from tgfr_search.data.degrade import LADDER
from tgfr_search.encoders.base import FaceEncoder
from tgfr_search.encoders.joint import JointCard, Member, save_joint
from tgfr_search.encoders.registry import fast_dtype, make_face_encoder
from tgfr_search.errors import InputError
from tgfr_search.faces.detectors.registry import FIRST
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.files import replace_text
from tgfr_search.model.card import card as model_card
from tgfr_search.model.checkpoint import find_model, joined_id, load_model, machine, read_config
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.scoring import ScoreModel
from tgfr_search.options import TrainOptions
from tgfr_search.strict import load_toml

OWN = "self"


@dataclass(frozen=True)
class Eyes:
    """What is joined.

    Attributes:
        members: `ENCODER=BLOCK,…`, one of them `self`.
        once: Encoders that are not averaged over the mirrored face.
        attributes: Folder of what reads attributes off the members' maps; None where there is none.
        detector: What finds the model's faces; empty is the trained model's.
    """

    members: Sequence[str]
    once: Sequence[str] = ()
    attributes: Path | None = None
    detector: str = ""


def _members(eyes: Eyes, folder: Path, base: Path, config: dict[str, Any]) -> tuple[JointCard, list[str]]:
    """The card, and the blocks that the trained modules read."""
    members, reads, regions_of = [], [], None
    for at, text in enumerate(eyes.members):
        encoder, _, blocks = text.partition("=")
        names, mirrored = tuple(name for name in blocks.split(",") if name), encoder not in eyes.once
        if encoder == OWN:
            regions_of, reads = at, list(names)
            face = config.get("face")
            encoder = os.path.relpath(base / face, folder) if face else str(config["model"]["face_encoder"])
        members.append(Member(encoder, names, mirrored))
    if regions_of is None:
        raise InputError("--member", found="no `self`", expected="the model's own face encoder among them")
    reader = os.path.relpath(eyes.attributes, folder) if eyes.attributes else ""
    return JointCard(tuple(members), regions_of, reader), reads


def _valid(
    options: TrainOptions, encoder: FaceEncoder, detector: str, precision: torch.dtype, decided: Path | None
) -> tuple[ValidSet, dict[str, Any]]:
    data, cache = options.data, Path(options.data.cache)
    finder = FaceFinder().for_alignment(encoder.spec.alignment).for_detector(detector)
    chips = load_chips(Path(data.path), data.valid, cache, finder)
    features = load_features(chips, LEVELS, encoder, cache, options.seed, silent, precision=precision)
    subjects = relabelled(chips, decided).subjects
    numbers = np.unique(subjects, return_inverse=True)[1].astype(np.int64)
    origin = {"data_sha256": chips.data_sha256, "valid_images": len(chips), "not_detected": {"valid": chips.failures}}
    return ValidSet(features, chips.names, numbers, chips.captions), origin


def _fitted(
    model: FaceTextModel, options: TrainOptions, decided: Path | None
) -> tuple[ScoreModel, dict[str, Any], dict[str, Any]]:
    """Score weights of a joined model fitted on valid, what they were fitted on, and Rank-1 there by mode and level."""
    dtype, regions = fast_dtype(model.tgfr.device), model.config["model"]["regions"]
    face = make_face_encoder(str(model.folder / "face"), model.tgfr.device, dtype, flip=False, regions=regions)
    valid, origin = _valid(options, face, model.detector, dtype, decided)
    constant = options.align.captions == "constant"
    trial = make_trial(model.tgfr, valid, options.seed, regime="constant" if constant else "own")
    more = [] if constant else [make_trial(model.tgfr, valid, options.seed, regime="own3")]
    scoring = fit_scores(trial, *more)
    rank1 = {mode: dict(zip(LADDER, rank1_by_level(trial, scoring, mode), strict=True)) for mode in scoring.weights}
    return scoring, origin, rank1


def join(base: Path, options: TrainOptions, eyes: Eyes, out: Path, same_person: Path | None = None) -> dict[str, Any]:
    """Writes the model.

    Args:
        base: Folder of the trained model.
        options: Data, split and seed of the fit, and the name of the new model.
        eyes: What is joined.
        out: Folder of the new model.
        same_person: What was decided about the labels of the data.

    Returns:
        Its config.json.

    Raises:
        InputError: No member is `self`, or an encoder is unknown.
        CheckpointError: A member's blocks do not fit it.
    """
    started, config = time.time(), read_config(base)
    card, reads = _members(eyes, out / "face", base, config)
    save_joint(out / "face", card)
    config = {
        **config,
        "name": options.name,
        "text": os.path.relpath(base / config["text"], out),
        "face": "face",
        "detector": eyes.detector or config.get("detector", FIRST),
        "heads": os.path.relpath(base / config.get("heads", "."), out),
        "model": {**config["model"], "reads": reads},
    }
    regions = config["model"]["regions"]
    face = make_face_encoder(str(out / "face"), torch.device("cpu"), torch.float32, flip=False, regions=regions)
    config["model_id"] = joined_id(options.name, config["tensors_sha256"], face.spec.sha256)
    replace_text(out / "config.json", json.dumps(config, indent=1, sort_keys=True) + "\n")

    model = load_model(out, device=options.device, statements=False)
    scoring, origin, rank1 = _fitted(model, options, same_person)
    config["scoring"] = scoring.as_dict()
    joined = {
        **origin,
        "command": "pipelines.tools.join_faces",
        "base": read_config(base)["model_id"],
        "members": list(eyes.members),
        "once": list(eyes.once),
        "same_person": hashlib.sha256(same_person.read_bytes()).hexdigest() if same_person else None,
        "seed": options.seed,
        "package": tgfr_search.__version__,
        "machine": machine(),
        "seconds": round(time.time() - started),
    }
    config["provenance"] = {**config["provenance"], "joined": joined, "valid_rank1": rank1}
    replace_text(out / "config.json", json.dumps(config, indent=1, sort_keys=True) + "\n")
    replace_text(out / "CARD.md", model_card(config))
    old = load_model(base, device="cpu")
    if old.directions is not None:
        theirs = [name for name, _ in old.face_encoder.spec.parts]
        carry_statements(old, model, dict(zip(theirs, reads, strict=True)))
    return config


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="name or folder")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--member", action="append", required=True)
    parser.add_argument("--once", action="append", default=[])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--attributes", type=Path, default=None)
    parser.add_argument("--detector", default="")
    parser.add_argument("--same-person", type=Path, default=None)
    given = parser.parse_args(arguments)
    options = load_toml(given.config, TrainOptions)
    eyes = Eyes(given.member, given.once, given.attributes, given.detector)
    config = join(find_model(given.model), options, eyes, given.out, given.same_person)
    print(json.dumps({"model_id": config["model_id"], **config["provenance"]["valid_rank1"]}, indent=1))


if __name__ == "__main__":
    main()
