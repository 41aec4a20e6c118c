"""Trains a model from a TOML file: steps 0 to 3, fits, checkpoint. Resumes wherever it was killed."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import tgfr_search
from pipelines.faces.aligned import Progress, load_chips, silent
from pipelines.faces.find import worker_count
from pipelines.train.fits import fit_centres, fit_quality
from pipelines.train.score_weights import fit_scores, rank1_by_level
from pipelines.train.sets import LEVELS, load_sets
from pipelines.train.step0.chips import adapt_step
from pipelines.train.step3.batches import Descriptions
from pipelines.train.step3.step import describe_step
from pipelines.train.steps import Log, TrainSet, align_step, fuse_step, trains_text
from pipelines.train.team import Team
from pipelines.train.trial import ValidSet, make_trial
from tgfr_search.data.degrade import LADDER
from tgfr_search.encoders.adapted import BASE as ADAPTABLE
from tgfr_search.encoders.adapted import is_adapted
from tgfr_search.encoders.base import FaceEncoder
from tgfr_search.encoders.dlib_resnet import ALIGNMENT
from tgfr_search.encoders.joint import is_joint
from tgfr_search.encoders.registry import fast_dtype, make_face_encoder, make_text_encoder
from tgfr_search.errors import InputError
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.model.blocks import terms_of_step
from tgfr_search.model.card import card
from tgfr_search.model.checkpoint import machine, read_config, save_model
from tgfr_search.model.scoring import ScoreModel
from tgfr_search.model.tgfr import TGFR
from tgfr_search.options import TrainOptions
from tgfr_search.strict import to_dict

VALID_LINES = 2
"""Caption lines enrolled for a gallery image when an epoch is judged; the fits at the end use all of them."""

FUSED_ALONE = ScoreModel(
    {"fused": {"fused": (1.0, 0.0)}, "image": {"shared_face": (1.0, 0.0)}, "caption": {"caption": (1.0, 0.0)}},
    {},
    {"fused": (0.0, 0.0), "image": (0.0, 0.0), "caption": (0.0, 0.0)},
)
"""How the paper's systems compare two face-caption pairs: the cosine of their fused vectors."""

ALIGNED = terms_of_step(1)
"""Those that step 1 trains: face and caption, then each against the other."""


def train(
    options: TrainOptions, folder: Path, *, workers: int | None = None, progress: Progress = silent
) -> dict[str, Any]:
    """Runs a training configuration to its checkpoint.

    Args:
        options: The configuration.
        folder: Run folder: states, logs, and the finished model in `model/`.
        workers: Processes that find faces.
        progress: Called as the work goes on.

    Returns:
        What the checkpoint's provenance says; nothing in a process that does not lead its `Team`.
    """
    team = Team.join(options.device)
    progress = progress if team.leads else silent
    started = time.time()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "options.json").write_text(json.dumps(to_dict(options), indent=1))
    device = team.device
    dtype = fast_dtype(device) if options.precision == "auto" else getattr(torch, options.precision)
    # float16 is for training, whose gradients are scaled, and not for the frozen face encoder.
    kept = torch.float32 if dtype == torch.float16 else dtype
    # In the arithmetic of inference: on a CPU with AMX three times as fast as float32.
    face = options.model.face_encoder
    log: Log = _logger(folder, progress) if team.leads else (lambda step_name, step, values: None)
    if options.adapt.epochs:
        face = str(team.first_then_all(lambda: _adapted(options, folder, device, kept, workers, log, progress)))
    encoder = make_face_encoder(face, device, kept, flip=False, regions=options.model.regions)
    # A GPU encodes faster than one process makes the views of faces.
    views_by = 0 if device.type == "cpu" else worker_count(workers)
    train_set, valid_set, origin = team.first_then_all(
        lambda: load_sets(options, encoder, kept, workers, progress, views_by)
    )
    # Read before the long steps, so that what is wrong with them is told at once.
    further = Descriptions.read(options.describe.further, options.data.train, train_set.subject_ids)
    torch.manual_seed(options.seed)
    model = _new_model(options, encoder, train_set, device, dtype)
    fit_quality(model, train_set, options.seed)
    judge = _Judge(train_set, valid_set, options, log)
    blocks = (*(name for name, _ in encoder.spec.parts), *ALIGNED)
    every = options.score == "blocks"
    by_align, by_fuse = (blocks, (*blocks, "fused")) if every else (ALIGNED[:2], ("fused",))
    align_step(model, train_set, options, folder / "align", judge.by(by_align), log, team)
    fuse_step(model, train_set, options, folder / "fuse", judge.by(by_fuse), log, team)
    if model.description is not None:
        describe_step(model, train_set, options, folder / "describe", log, team, further)
    if not team.leads:
        return {}
    scoring, fitted = _fit(model, train_set, valid_set, options)
    provenance = {
        **origin,
        "options": to_dict(options),
        "package": tgfr_search.__version__,
        "machine": machine(),
        "seconds": round(time.time() - started),
        **fitted,
        "licence": options.data.licence,
    }
    return _save(model, scoring, options, folder, face, provenance)


def _new_model(
    options: TrainOptions, encoder: FaceEncoder, train_set: TrainSet, device: torch.device, dtype: torch.dtype
) -> TGFR:
    """What is trained, as it is before the first step."""
    o = options.model
    text = make_text_encoder(o.text_encoder, (line for own in train_set.captions for line in own))
    model = TGFR(text, o, parts=encoder.spec.parts, region_channels=encoder.spec.regions[0]).to(device)
    # One sentence for all costs nothing in full precision, and the rounding of a reduced one would pass for words.
    model.fcam.text_dtype = torch.float32 if _constant(options) else dtype
    transformer: Any = getattr(text, "model", None)
    if device.type == "cpu" and transformer is not None:
        # torch's fused attention has a slow backward on CPUs: a quarter of a step.
        transformer.set_attn_implementation("eager")
    return model


@dataclass(frozen=True)
class _Judge:
    """What chooses the epoch: mean Rank-1 of valid over the levels, by some terms."""

    train: TrainSet
    valid: ValidSet
    options: TrainOptions
    log: Log

    def by(self, terms: tuple[str, ...]) -> Callable[[TGFR], float]:
        """The judgement by these terms."""

        def judge(candidate: TGFR) -> float:
            # Centres and quality move with the weights, so they are fitted before every look at valid.
            fit_centres(candidate, self.train, self.options.seed, _constant(self.options))
            trial = make_trial(
                candidate, self.valid, self.options.seed, lines=VALID_LINES, regime=_regime(self.options)
            )
            levels = rank1_by_level(trial, fit_scores(trial, modes={"fused": terms}), "fused")
            self.log("valid", 0, dict(zip(LEVELS, levels, strict=True)))
            return float(np.mean(levels))

        return judge


def _constant(options: TrainOptions) -> bool:
    return options.align.captions == "constant"


def _regime(options: TrainOptions) -> str:
    return "constant" if _constant(options) else "own"


def _fit(
    model: TGFR, train_set: TrainSet, valid_set: ValidSet, options: TrainOptions
) -> tuple[ScoreModel, dict[str, Any]]:
    """What is fitted once training is over: centres, quality, score weights; and what they reach."""
    fit_centres(model, train_set, options.seed, _constant(options))
    error = fit_quality(model, train_set, options.seed)
    trial = make_trial(model, valid_set, options.seed, regime=_regime(options))
    scoring = FUSED_ALONE
    if options.score == "blocks":
        # Witnesses say one line or several, and several weigh more (docs/experiments.md, 24).
        more = [] if _constant(options) else [make_trial(model, valid_set, options.seed, regime="own3")]
        scoring = fit_scores(trial, *more)
    reached = {mode: dict(zip(LADDER, rank1_by_level(trial, scoring, mode), strict=True)) for mode in scoring.weights}
    return scoring, {"quality_mean_absolute_error": error, "valid_rank1": reached}


def _save(
    model: TGFR, scoring: ScoreModel, options: TrainOptions, folder: Path, face: str, provenance: dict[str, Any]
) -> dict[str, Any]:
    """Writes the checkpoint with its card; what `train` returns."""
    o, target = options.model, folder / "model"
    # A text encoder that was taken as it is and not trained is named, not copied.
    untrained = Path(o.text_encoder).is_dir() and not trains_text(options)
    place = os.path.relpath(o.text_encoder, target) if untrained else "text"
    faces = None
    if is_adapted(Path(face)) or is_joint(Path(face)):
        faces = os.path.relpath(face, target)
        if options.adapt.epochs:
            faces = "face"
            shutil.copytree(face, target / faces, dirs_exist_ok=True)
    model_id = save_model(
        target,
        model,
        o,
        scoring,
        name=options.name,
        text=place,
        face=faces,
        detector=provenance["detector"],
        provenance=provenance,
    )
    (target / "CARD.md").write_text(card(read_config(target)), encoding="utf-8")
    return {"model_id": model_id, "folder": str(target), **provenance}


def _adapted(
    options: TrainOptions, folder: Path, device: torch.device, dtype: torch.dtype, workers: int | None, log: Log,
    progress: Progress,
) -> Path:  # fmt: skip
    """Step 0; the folder of the adapted face encoder."""
    data, cache = options.data, Path(options.data.cache)
    if options.model.face_encoder != ADAPTABLE:
        found, expected = options.model.face_encoder, f"{ADAPTABLE}: no other net can be fine-tuned here"
        raise InputError("adapt: face_encoder", found=found, expected=expected)
    finder = FaceFinder().for_alignment(ALIGNMENT).for_detector(data.detector)
    train = load_chips(Path(data.path), data.train, cache, finder, workers=workers, progress=progress)
    valid = load_chips(Path(data.path), data.valid, cache, finder, workers=workers, progress=progress)
    helpers = 0 if workers == 0 else 1
    return adapt_step(train, valid, options.adapt, options.seed, folder / "adapt", device, dtype, log, helpers)


def _logger(folder: Path, progress: Progress) -> Callable[[str, int, dict[str, float]], None]:
    """Scalars to TensorBoard event files where tensorboard is installed, and always to a JSON-lines file."""
    lines = folder / "log.jsonl"
    writer: Any = None
    try:
        from torch.utils.tensorboard import SummaryWriter

        writer = SummaryWriter(str(folder / "tensorboard"))
    except ImportError:
        pass

    def log(step_name: str, step: int, values: dict[str, float]) -> None:
        with lines.open("a") as file:
            file.write(json.dumps({"time": round(time.time(), 1), "step": step_name, "at": step, **values}) + "\n")
        if writer is not None:
            for name, value in values.items():
                writer.add_scalar(f"{step_name}/{name}", value, step)
        shown = " ".join(f"{name} {value:.4g}" for name, value in values.items())
        progress(f"{step_name} {shown}", step, 0)

    return log
