"""Makes a model's directions of attributes: ridge on rows of train people, calibration on valid.

Where a row has a block of attributes, its outputs are the directions: that ridge was fitted on maps, which hold more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

import tgfr_search
from pipelines.faces.aligned import Progress, silent
from pipelines.train.attributes.head import labels_of
from pipelines.train.attributes.rows import LEVELS, StatementOptions, embedded, some_chips, train_views
from pipelines.train.attributes.solve import calibrate, figures_of, phrasing, ridge
from tgfr_search.data.captions import ATTRIBUTES
from tgfr_search.data.degrade import LADDER
from tgfr_search.encoders.attribute_reader import BLOCK, OUTPUTS, SCALE, WIDTH
from tgfr_search.errors import InputError
from tgfr_search.files import replace_text
from tgfr_search.model.blocks import BLOCKS
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.statements import FOLDER, Directions, write_directions
from tgfr_search.model.statements_card import statements_card
from tgfr_search.types import FloatArray


def fit_statements(
    model: FaceTextModel, options: StatementOptions, *, workers: int | None = None, progress: Progress = silent
) -> dict[str, Any]:
    """Fits, calibrates, and writes directions with their card into the model's folder.

    Args:
        model: Whose rows.
        options: How.
        workers: Processes that find faces.
        progress: Called as the work goes on.

    Returns:
        What the card says, as JSON values.

    Raises:
        InputError: The data have no attributes, or the splits share people.
    """
    finder = model.find_with()
    train = some_chips(options, options.train, options.every, finder, workers, progress)
    valid = some_chips(options, options.valid, 1, finder, workers, progress)
    if shared := set(train.subjects) & set(valid.subjects):
        raise InputError(f"{options.data}", found=f"{len(shared)} subjects in both splits", expected="other people")
    labels, truth = labels_of(train).astype(np.float64), labels_of(valid).astype(np.float64)
    if dict(model.tgfr.layout).get(BLOCK) == WIDTH:
        blocks: tuple[str, ...] = (BLOCK,)
        weights, means = read_off()
    else:
        rows, _ = embedded(model, train, train_views(len(train)), options, progress)
        blocks = tuple(name for name, _ in model.tgfr.layout if BLOCKS[name].source == "face")
        weights, means = ridge(rows, blocks, labels, options.alpha)
    usual = np.nan_to_num(np.nanmean(labels, axis=0), nan=0.5).astype(np.float32)
    known = phrasing(line for own in train.captions for line in own)
    origin = {
        "model_id": model.model_id,
        "weights_sha256": model.contract["weights_sha256"],
        "face_encoder_sha256": model.contract["face_encoder_sha256"],
        "data_sha256": train.data_sha256,
        "licence": options.licence,
        "package": tgfr_search.__version__,
        "seed": str(options.seed),
        "alpha": str(options.alpha),
        "train_images": str(len(train)),
        "train_subjects": str(len(set(train.subjects))),
        "valid_images": str(len(valid)),
    }
    blank = np.zeros((len(ATTRIBUTES), 4), np.float32)
    heard = options.strength, known, origin, options.familiar
    raw = Directions(ATTRIBUTES, blocks, weights, means, usual, blank, *heard)
    seen = [embedded(model, valid, [level] * len(valid), options, progress) for level in LEVELS]
    z, quality = np.concatenate([raw.seen(own) for own, _ in seen]), np.concatenate([q for _, q in seen])
    fits = [calibrate(z[:, a], quality, np.tile(truth[:, a], len(LEVELS))) for a in range(len(ATTRIBUTES))]
    together = np.cov(raw.seen(seen[0][0]), rowvar=False).astype(np.float32)
    made = replace(raw, calibration=np.array(fits, np.float32), covariance=together)
    folder = model.folder / FOLDER
    write_directions(folder, made)
    p = [made.probabilities(own, q) for own, q in seen]
    figures = {level: figures_of(own, truth) for level, own in zip(LADDER, p, strict=True)}
    replace_text(folder / "CARD.md", statements_card(made, figures))
    return {"folder": str(folder), **origin, "strength": dict(options.strength), "valid": figures}


def read_off() -> tuple[dict[str, FloatArray], FloatArray]:
    """Directions of a block of attributes: its outputs, which are in units of the labels' spreads as they stand."""
    return {BLOCK: SCALE * np.eye(OUTPUTS, WIDTH, dtype=np.float32)}, np.zeros(OUTPUTS, np.float32)


def carry_statements(old: FaceTextModel, model: FaceTextModel, names: Mapping[str, str]) -> dict[str, Any]:
    """Gives a model another one's directions, where it has the same blocks of the same networks under other names.

    Args:
        old: Has them.
        model: Gets them; its trained modules are the same.
        names: Block of `old` → its name in `model`; the others keep theirs.

    Raises:
        InputError: Nothing to carry, other trained modules, or a block that `model` has not.
    """
    own, ours, theirs = old.directions, model.contract, old.contract
    if own is None:
        raise InputError(f"{old.folder}", found="no statements", expected="a model that has them")
    if ours["weights_sha256"] != theirs["weights_sha256"]:
        raise InputError(f"{model.folder}", found="other trained modules", expected=theirs["weights_sha256"])
    blocks = tuple(names.get(name, name) for name in own.blocks)
    weights = {names.get(name, name): own.weights[name] for name in own.blocks}
    origin = {**own.origin, "model_id": model.model_id, "face_encoder_sha256": ours["face_encoder_sha256"],
              "carried_from": old.model_id}  # fmt: skip
    made = replace(own, blocks=blocks, weights=weights, origin=origin)
    made.placed(model.tgfr.layout)
    folder = model.folder / FOLDER
    write_directions(folder, made)
    card = (old.folder / FOLDER / "CARD.md").read_text(encoding="utf-8")
    card = card.replace(
        f"# Statements of {old.model_id}", f"# Statements of {model.model_id}, carried from {old.model_id}"
    )
    replace_text(folder / "CARD.md", card)
    return {"folder": str(folder), **origin, "blocks": list(blocks)}
