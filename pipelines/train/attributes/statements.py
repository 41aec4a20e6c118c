"""Makes a model's directions of attributes: ridge on rows of train people, calibration on valid.

The faces are encoded once, one view each, and kept in the cache: a second run takes seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit

import tgfr_search
from pipelines.faces.aligned import Chips, Progress, chips_of, load_chips, silent, source_sha256
from pipelines.faces.features import view
from pipelines.train.attributes.head import labels_of
from tgfr_search.data.captions import ATTRIBUTES
from tgfr_search.data.degrade import LADDER
from tgfr_search.data.records import read_records
from tgfr_search.errors import InputError
from tgfr_search.faces.align import ALIGNMENTS
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.files import cache_key, replace_text, replacing
from tgfr_search.model.blocks import BLOCKS
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.statements import FOLDER, Directions, write_directions
from tgfr_search.model.statements_card import statements_card
from tgfr_search.types import FloatArray
from tgfr_search.words.phrasing import word_pairs

Floats = npt.NDArray[np.float64]

BATCH = 32
RARE = 4e-4
"""Of all lines: pairs of words that are in fewer are no part of the phrasing that the text encoder was taught."""
LEVELS = ("original", *tuple(LADDER)[1:])
DEGRADED_EACH = 3
"""One in so many train faces is degraded, by a level of the ladder in turn."""
PRIOR = 1.0
"""Weight of a calibration's prior, which is the uncalibrated log odds of the share of faces that have the attribute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementOptions:
    """How directions are made.

    Attributes:
        data: Images with the attributes as boolean columns and captions.
        train: Split whose people the directions are fitted on.
        valid: Split that calibrates them; other people.
        cache: Folder of caches.
        every: Of the train split only each so-many-th image.
        alpha: Of the ridge.
        seed: Of the degradations.
        strength: Mode → weight of statements beside the other terms of a score; see docs/experiments.md, 30.
        licence: Of the data.
    """

    data: Path
    train: str = "train"
    valid: str = "valid"
    cache: Path = Path("runs/features")
    every: int = 4
    alpha: float = 1.0
    seed: int = 0
    strength: dict[str, float] = field(default_factory=lambda: {"caption": 1.5, "fused": 0.2})
    licence: str = "MM-CelebA-HQ / CelebA: non-commercial research only"


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
    raw = Directions(ATTRIBUTES, blocks, weights, means, usual, blank, options.strength, known, origin)
    seen = [embedded(model, valid, [level] * len(valid), options, progress) for level in LEVELS]
    z, quality = np.concatenate([raw.seen(own) for own, _ in seen]), np.concatenate([q for _, q in seen])
    fits = [calibrate(z[:, a], quality, np.tile(truth[:, a], len(LEVELS))) for a in range(len(ATTRIBUTES))]
    made = replace(raw, calibration=np.array(fits, np.float32))
    folder = model.folder / FOLDER
    write_directions(folder, made)
    p = [made.probabilities(own, q) for own, q in seen]
    figures = {level: figures_of(own, truth) for level, own in zip(LADDER, p, strict=True)}
    replace_text(folder / "CARD.md", statements_card(made, figures))
    return {"folder": str(folder), **origin, "strength": dict(options.strength), "valid": figures}


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


def train_views(count: int) -> list[str]:
    """Which view of each train face directions are fitted on: one in three is degraded, by the levels in turn."""
    at = np.arange(count)
    turns = np.where(at % DEGRADED_EACH, 0, 1 + (at // DEGRADED_EACH) % (len(LEVELS) - 1))
    return [LEVELS[turn] for turn in turns]


def some_chips(
    options: StatementOptions, split: str, every: int, finder: FaceFinder, workers: int | None, progress: Progress
) -> Chips:
    """Aligned faces of a split, or of each so-many-th image of it, from the cache or made now.

    Args:
        options: Data and cache.
        split: Which.
        every: Of its images only each so-many-th.
        finder: How photos become faces.
        workers: Processes that find faces.
        progress: Called as the work goes on.
    """
    if every == 1:
        return load_chips(options.data, split, options.cache, finder, workers=workers, progress=progress)
    digest, left_out = source_sha256(options.data), Counter[str]()
    records = read_records(
        options.data, split=split, on_problem=lambda problem: left_out.update([problem.reason.value])
    )
    folder = options.cache / f"chips-{split}-{cache_key(data=digest, split=split, every=every, finder=finder)}"
    some = islice(records, 0, None, every)
    return chips_of(some, folder, f"{options.data}", digest, finder, left_out, workers=workers, progress=progress)


def embedded(
    model: FaceTextModel, chips: Chips, views: Sequence[str], options: StatementOptions, progress: Progress
) -> tuple[dict[str, FloatArray], FloatArray]:
    """Blocks made of a face, and predicted quality, of one view of each face; from the cache where they are there.

    Args:
        model: Encodes.
        chips: N faces.
        views: N names, as `pipelines.faces.features.view` has them.
        options: Cache and seed.
        progress: Called as the work goes on.
    """
    # The ladder's sides are those of dlib's chip, of which a wide one has more than is in it.
    alignment = ALIGNMENTS[model.face_encoder.spec.alignment]
    scale = {} if alignment.ladder_side == alignment.size else {"side": alignment.ladder_side}
    key = cache_key(
        chips=chips.folder.name,
        contract=model.contract,
        views=list(views),
        ladder=dict(LADDER),
        seed=options.seed,
        **scale,
    )
    path = options.cache / f"blocks-{key}.npz"
    if path.is_file():
        with np.load(path) as file:
            found = {name: file[name] for name in file.files}
        return found, found.pop("quality")
    names = [name for name, _ in model.tgfr.layout if BLOCKS[name].source == "face"]
    parts: list[dict[str, FloatArray]] = []
    for start in range(0, len(chips), BATCH):
        rows = range(start, min(start + BATCH, len(chips)))
        side = alignment.ladder_side
        pixels = np.stack([view(chips.pixels[i], views[i], chips.sha256[i], options.seed, side) for i in rows])
        out = model.embed(pixels, [()] * len(rows))
        parts.append({**{name: out.templates.blocks[name] for name in names}, "quality": out.quality})
        progress("faces encoded", rows.stop, len(chips))
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    with replacing(path) as temporary:
        np.savez(temporary, **joined)  # type: ignore[arg-type]
    return joined, joined.pop("quality")


def ridge(
    rows: dict[str, FloatArray], blocks: Sequence[str], labels: Floats, alpha: float
) -> tuple[dict[str, FloatArray], FloatArray]:
    """Directions by ridge regression, in units of each label's spread.

    Args:
        rows: Block → [N, dimension].
        blocks: Which of them are read.
        labels: [N, A] of 0 and 1; NaN where the data do not say counts as the mean.
        alpha: Weight of the penalty.

    Returns:
        Block → [A, dimension], and what they give on average [A].
    """
    x = np.concatenate([rows[name] for name in blocks], axis=1).astype(np.float64)
    share = np.nanmean(labels, axis=0)
    y = np.where(np.isnan(labels), share, labels)
    centre = x.mean(axis=0)
    apart = x - centre
    fitted = np.linalg.solve(apart.T @ apart + alpha * np.eye(x.shape[1]), apart.T @ (y - share)).T
    # An attribute that no face has, or all have, is no direction.
    spread = np.sqrt(share * (1 - share))[:, None]
    fitted = (
        np.divide(fitted, spread, out=np.zeros_like(fitted), where=spread > 0).astype(np.float16).astype(np.float64)
    )
    ends = np.cumsum([rows[name].shape[1] for name in blocks])[:-1]
    weights = {name: part.astype(np.float32) for name, part in zip(blocks, np.split(fitted, ends, axis=1), strict=True)}
    return weights, (fitted @ centre).astype(np.float32)


def phrasing(lines: Iterable[str]) -> frozenset[str]:
    """Pairs of words that are usual in some lines."""
    counts, total = Counter[str](), 0
    for line in lines:
        counts.update(set(word_pairs(line)))
        total += 1
    return frozenset(pair for pair, count in counts.items() if count >= max(2, RARE * total))


def calibrate(z: Floats, quality: npt.NDArray[np.floating], truth: Floats) -> tuple[float, float, float, float]:
    """(a, b, c, d) of P(holds) = σ((a + b·q)·z + c + d·q), by maximum likelihood; unknown labels are left out.

    Args:
        z: [N] of one attribute.
        quality: [N], predicted.
        truth: [N] of 0, 1, NaN.
    """
    known = ~np.isnan(truth)
    q, x, y = quality[known].astype(np.float64), z[known], truth[known]
    design = np.stack([x, q * x, np.ones_like(x), q], axis=1)
    share = float(np.clip(y.mean(), 1e-3, 1 - 1e-3)) if len(y) else 0.5
    prior = np.array([0.0, 0.0, np.log(share / (1 - share)), 0.0])

    def loss(own: Floats) -> tuple[float, Floats]:
        logits, apart = design @ own, own - prior
        value = np.logaddexp(0, logits).sum() - y @ logits + PRIOR / 2 * (apart @ apart)
        return float(value), design.T @ (expit(logits) - y) + PRIOR * apart

    fit = minimize(loss, prior, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    a, b, c, d = fit.tolist()
    return a, b, c, d


def figures_of(probabilities: Floats, truth: Floats) -> dict[str, Any]:
    """What calibrated probabilities are worth: `share`, `auc` and `brier_gain` over the share, each by attribute."""
    out: dict[str, Any] = {"share": {}, "auc": {}, "brier_gain": {}}
    for at, name in enumerate(ATTRIBUTES):
        known = ~np.isnan(truth[:, at])
        p, y = probabilities[known, at], truth[known, at]
        share = float(y.mean()) if len(y) else 0.0
        rank = np.argsort(np.argsort(p)) + 1.0
        yes, no = float(y.sum()), float((1 - y).sum())
        auc = (float(rank[y == 1].sum()) - yes * (yes + 1) / 2) / (yes * no) if yes and no else None
        base = share * (1 - share)
        gain = 1 - float(((p - y) ** 2).mean()) / base if base else None
        shown = {"share": share, "auc": auc, "brier_gain": gain}
        for kind, value in shown.items():
            out[kind][name] = None if value is None else round(value, 4)
    return out
