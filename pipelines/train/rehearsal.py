"""A training run rehearsed before its data and weights are there: the same code on a tiny set that is made up.

The face encoder is the named network with random weights, the text encoder the named architecture made small; both go
through a file and the code that reads the published ones. Two updates of every step run, and the checkpoint is
written. A wrong key, value or shape is found in seconds; nothing is downloaded, and nothing is learnt.
"""

from __future__ import annotations

import dataclasses
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from pipelines.faces.features import feature_bytes, view
from pipelines.train.fits import fit_centres
from pipelines.train.score_weights import fit_scores, rank1_by_level
from pipelines.train.step3.step import describe_step
from pipelines.train.steps import TrainSet, align_step, fuse_step
from pipelines.train.trial import ValidSet, make_trial
from tgfr_search.data.captions import ATTRIBUTES, caption_lines
from tgfr_search.data.datasets import FeatureSet
from tgfr_search.data.degrade import LADDER
from tgfr_search.encoders.adapted import is_adapted
from tgfr_search.encoders.added import Card, find_card, write_card
from tgfr_search.encoders.base import FaceEncoder, FaceSpec, tensors_sha256
from tgfr_search.encoders.iresnet import ARCHITECTURES, COUNTER, IResNet
from tgfr_search.encoders.joint import is_joint
from tgfr_search.encoders.registry import DLIB, SHIPPED_ADAPTED, make_face_encoder, make_text_encoder
from tgfr_search.encoders.text_files import HUB, INSTALLED, PUBLISHED
from tgfr_search.encoders.tiny import save_text_model
from tgfr_search.errors import InputError, OptionsError
from tgfr_search.model.checkpoint import save_model
from tgfr_search.model.scoring import ScoreModel
from tgfr_search.model.tgfr import TGFR
from tgfr_search.options import TrainOptions

SUBJECTS, IMAGES = 8, 16
UPDATES = 2
CHOICES = {
    "precision": ("auto", "float32", "bfloat16", "float16"),
    "score": ("blocks", "fused"),
    "align.captions": ("drawn", "constant"),
    "fuse.optimiser": ("sgd", "adam"),
}
TINY_FAMILY = {"blip": "blip-retrieval"}
"""What the hub's file of a family holds, where it is not the plain model."""


def check_options(options: TrainOptions) -> None:
    """Values that the options' types allow and training does not.

    Raises:
        OptionsError: A name that is none of those there are, a number out of range, or a milestone never reached.
    """
    for name, known in CHOICES.items():
        value: Any = options
        for part in name.split("."):
            value = getattr(value, part)
        if value not in known:
            raise OptionsError(f"{options.name}: {name} {value!r}", expected=f"one of: {', '.join(known)}")
    for step in ("align", "fuse", "describe"):
        for name in ("epochs", "batch", "accumulate"):
            if getattr(getattr(options, step), name, 1) < 1:
                found = str(getattr(getattr(options, step), name))
                raise OptionsError(f"{options.name}: {step}.{name}", found=found, expected="1 or more")
    late = [epoch for epoch in options.fuse.milestones if epoch >= options.fuse.epochs]
    if late:
        expected = f"below fuse.epochs, {options.fuse.epochs}"
        raise OptionsError(f"{options.name}: fuse.milestones", found=", ".join(map(str, late)), expected=expected)
    if not options.data.views or options.data.views[0] != "original":
        raise OptionsError(f"{options.name}: data.views", found=str(options.data.views), expected="'original' first")


def rehearse(options: TrainOptions) -> dict[str, Any]:
    """Runs two updates of every step of a configuration on made-up data; step 0 is left out.

    Returns:
        What was built: `face` and `text` that stood in, `parameters` of the trained parts, `cache_bytes_a_face` (what
        the feature cache will take), `updates` of the weights.

    Raises:
        OptionsError: A key, value or shape is wrong.
        InputError: An encoder is named of which neither a network nor a file is known.
    """
    check_options(options)
    face, stands_for = rehearsal_face(options.model.face_encoder, options.model.regions)
    blank = np.zeros((face.spec.input_size, face.spec.input_size, 3), np.uint8)
    for name in options.data.views:
        view(blank, name, "rehearsal", options.seed, None)
    batch = IMAGES // UPDATES  # as many subjects, each of which has one image in either batch
    small = dataclasses.replace(
        options,
        device="cpu",
        align=dataclasses.replace(options.align, epochs=1, batch=batch, accumulate=1),
        fuse=dataclasses.replace(options.fuse, epochs=1, batch=2 * batch, accumulate=1),
        describe=dataclasses.replace(options.describe, epochs=1, batch=batch),
    )
    train, valid = _made_up(face.spec, options)
    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng(devices=[]):
        try:
            torch.manual_seed(0)
            text, text_name = rehearsal_text(options.model.text_encoder, train, Path(folder) / "published")
            model = TGFR(text, options.model, parts=face.spec.parts, region_channels=face.spec.regions[0])

            def judge(candidate: TGFR) -> float:
                fit_centres(candidate, train, 0, options.align.captions == "constant")
                trial = make_trial(candidate, valid, 0)
                return float(np.mean(rank1_by_level(trial, fit_scores(trial), "fused")))

            for step in (align_step, fuse_step):
                step(model, train, small, Path(folder) / step.__name__, judge, lambda *_: None)
            if model.description is not None:
                describe_step(model, train, small, Path(folder) / "describe", lambda *_: None)
            broken = [name for name, weights in model.named_parameters() if not weights.isfinite().all()]
            if broken:
                raise RuntimeError(f"weights that are no numbers after {UPDATES} updates: {broken[0]}")
            scores = ScoreModel({"image": {"face": (1.0, 0.0)}}, {}, {"image": (0.0, 0.0)})
            save_model(Path(folder) / "model", model, options.model, scores, name="x", text="text", provenance={})
        except (AssertionError, RuntimeError, TypeError, ValueError) as error:
            found = (str(error).splitlines() or [type(error).__name__])[0]
            expected = "parts that fit together: see [model] of the configuration"
            raise OptionsError(f"{options.name}: rehearsal", found=found, expected=expected) from error
    return {
        "name": options.name,
        "face": stands_for,
        "text": text_name,
        "parameters": {
            "text": sum(p.numel() for p in text.parameters()),
            "rest": sum(p.numel() for name, p in model.named_parameters() if not name.startswith("fcam.text.")),
        },
        "cache_bytes_a_face": feature_bytes(1, len(options.data.views), face.spec),
        "updates": (2 if model.description is None else 3) * UPDATES,
    }


def rehearsal_face(name: str, regions: str) -> tuple[FaceEncoder, str]:
    """The named face encoder, or the network of that name with random weights; and in words which it is.

    Raises:
        InputError: Neither; or it has no such regional map.
    """
    folder = SHIPPED_ADAPTED.get(name, Path(name))
    if name == DLIB or find_card(name) is not None or is_adapted(folder) or is_joint(folder):
        return make_face_encoder(name, torch.device("cpu"), torch.float32, flip=False, regions=regions), f"{name}, real"
    if name not in ARCHITECTURES:
        raise InputError(
            f"face encoder {name!r}",
            found="neither an added encoder nor a network that is known by its name",
            expected=f"one of: {DLIB}, {', '.join(ARCHITECTURES)}",
            do="tgfr-search model add NAME --from FILE, or give it the name of its network",
        )
    return _random_iresnet(name, regions), f"{name}, random weights"


@cache
def _random_iresnet(name: str, regions: str) -> FaceEncoder:
    """Through a card and a file, as an encoder that was added, and one look at two pictures."""
    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        state = {k: v.contiguous() for k, v in IResNet(ARCHITECTURES[name]).state_dict().items() if COUNTER not in k}
        save_file(state, Path(folder) / f"{name}.safetensors")
        digest = tensors_sha256(state)
        card = Card(name, "face", name, f"{name}.safetensors", digest, "random", digest, "none", "rehearsal")
        path = write_card(card, Path(folder))
        encoder = make_face_encoder(str(path), torch.device("cpu"), torch.float32, flip=False, regions=regions)
    size = encoder.spec.input_size
    vectors, maps = encoder.encode(np.zeros((2, size, size, 3), np.uint8))
    found, expected = (tuple(vectors.shape), tuple(maps.shape)), ((2, encoder.spec.dim), (2, *encoder.spec.regions))
    if found != expected:
        raise InputError(f"face encoder {name!r}", found=str(found), expected=str(expected))
    return encoder


def rehearsal_text(name: str, train: TrainSet, folder: Path) -> tuple[torch.nn.Module, str]:
    """The named text encoder where it is a folder or comes installed, or its architecture made small.

    Args:
        name: As configurations name it.
        train: Whose captions a BiLSTM takes its words from.
        folder: Where the small model is written and read back.

    Raises:
        InputError: A model of the hub whose architecture is not known.
    """
    if not name.startswith(HUB) or Path(name).is_dir():
        real = "from the captions" if name == "bilstm" else "real"
        return make_text_encoder(name, (line for own in train.captions for line in own)), f"{name}, {real}"
    family = {repository: family for family, repository in PUBLISHED.items()}.get(name.removeprefix(HUB))
    if family is None:
        known = ", ".join(f"{HUB}{repository}" for repository in PUBLISHED.values())
        raise InputError(
            f"text encoder {name!r}",
            found="a model whose architecture is not known before it is fetched",
            expected=f"bilstm, {', '.join(INSTALLED)}, a folder, or one of: {known}",
        )
    save_text_model(folder, TINY_FAMILY.get(family, family))
    return make_text_encoder(str(folder)), f"{family}, made small, random weights"


def _made_up(spec: FaceSpec, options: TrainOptions) -> tuple[TrainSet, ValidSet]:
    """Random features of the encoder's shapes, captions by the grammar, two images a subject; valid is half of them."""
    rng = np.random.default_rng(0)

    def features(images: int, views: tuple[str, ...]) -> FeatureSet:
        vectors = rng.normal(size=(images, len(views), 2, spec.dim)).astype(np.float32)
        regions = rng.normal(size=(images, len(views), 2, *spec.regions)).astype(np.float16)
        return FeatureSet(views, vectors, regions)

    captions = [
        caption_lines({name: bool(rng.random() < 0.3) for name in ATTRIBUTES}, lines=2, seed=at) for at in range(IMAGES)
    ]
    subjects = np.arange(IMAGES) % SUBJECTS
    names = [f"{at:02d}" for at in range(IMAGES)]
    train = TrainSet(features(IMAGES, options.data.views), subjects, captions)
    some = IMAGES // 2
    levels = features(some, ("original", *tuple(LADDER)[1:]))
    return train, ValidSet(levels, names[:some], np.arange(some) % (SUBJECTS // 2), captions[:some])
