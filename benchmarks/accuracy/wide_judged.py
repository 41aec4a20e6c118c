"""What a wide block is worth: attributes told, attribute search, and what statements add beside a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.accuracy.attribute_search import read_phrases
from benchmarks.accuracy.people_words import chosen, searched
from pipelines.faces.aligned import Chips
from pipelines.measure.data import Side, join
from pipelines.measure.systems.trained import Default
from tgfr_search.data.captions import ATTRIBUTES
from tgfr_search.data.degrade import LADDER
from tgfr_search.data.regimes import assign
from tgfr_search.evaluation.attribute_search import over_chance, summary
from tgfr_search.evaluation.interval import Interval
from tgfr_search.evaluation.intervals import rate_interval, subject_weights
from tgfr_search.evaluation.verification import Figure, Floats
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.probe import Probes, make_probes, score, weigh
from tgfr_search.model.statements import Directions, Stated
from tgfr_search.types import FloatArray, Templates

OUTPUTS, SEED = len(ATTRIBUTES), 0
HEADS = ("map", "aligned", "wide", "all")
"""Blocks of a head's outputs: on the map that the model reads anyhow; on this and SFace's maps of the aligned face,
which are there for nothing, too; on maps of the wide chip; on all of them."""
SYSTEMS = {
    "blocks": (),
    **{f"{name} alone": (name,) for name in HEADS},
    **{f"blocks + {name}": (name,) for name in HEADS},
}
"""Fitted directions → the heads' blocks that they read; those named `blocks` read today's blocks, too."""
DIFFERENCES = (
    ("blocks", "shipped"),
    *((f"blocks + {name}", "blocks") for name in HEADS),
    ("blocks + wide", "blocks + aligned"),
    ("blocks + all", "blocks + aligned"),
    ("all alone", "aligned alone"),
)
SCALE = np.float32(np.sqrt(OUTPUTS))
"""The outputs are divided by it: rows of the block are then about as long as those of the other blocks."""
LEAST = 20
"""Faces that must have an attribute for it to be judged."""
LEVELS = {"original" if level == "normal" else level: level for level in LADDER}
"""View → level."""

Rows = dict[str, FloatArray]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Seen:
    """Some faces in one view.

    Attributes:
        rows: Block → float32 [N, dimension], those of the heads among them.
        quality: [N], predicted.
    """

    rows: Rows
    quality: FloatArray


def auc(scores: npt.NDArray[np.floating], holds: npt.NDArray[np.bool_], weights: FloatArray) -> Interval:
    """Area under the ROC of one attribute; scores without ties.

    Args:
        scores: [N].
        holds: [N].
        weights: [R, N], how often each face counts in each resample.
    """
    order = np.argsort(scores, kind="stable")
    with_it, without = _weighed(holds[order], weights[:, order])
    below = np.cumsum(without, axis=1)
    return _interval((with_it * below).sum(axis=1) / (with_it.sum(axis=1) * without.sum(axis=1)))


def average_precision(scores: npt.NDArray[np.floating], holds: npt.NDArray[np.bool_], weights: FloatArray) -> Interval:
    """The mean precision at the places of those for whom an attribute holds. Arguments as of `auc`."""
    order = np.argsort(-scores, kind="stable")
    with_it, without = _weighed(holds[order], weights[:, order])
    found = np.cumsum(with_it, axis=1)
    precision = found / np.maximum(found + np.cumsum(without, axis=1), 1)
    return _interval((with_it * precision).sum(axis=1) / with_it.sum(axis=1))


def _weighed(holds: npt.NDArray[np.bool_], weights: FloatArray) -> tuple[Floats, Floats]:
    # Unit weights are one more "resample": the point estimate comes out of the same code.
    every = np.concatenate([np.ones((1, len(holds))), weights])
    return every * holds, every * ~holds


def _interval(values: npt.NDArray[np.floating]) -> Interval:
    return Interval.of(Figure(float(values[0])), values[1:].astype(np.float64))


def plain(interval: Interval) -> list[float | None]:
    """[value, low, high]."""
    return [None if x is None else round(x, 4) for x in (interval.value, interval.low, interval.high)]


def with_differences(figures: Mapping[str, Interval]) -> dict[str, list[float | None]]:
    """Each system's figure, and paired differences."""
    return {
        **{name: plain(own) for name, own in figures.items()},
        **{f"{one} − {other}": plain(figures[one].minus(figures[other])) for one, other in DIFFERENCES},
    }


def attributes_told(
    systems: Mapping[str, Directions], seen: Mapping[str, Rows], truth: FloatArray, weights: FloatArray
) -> dict[str, Any]:
    """How well attributes are told: level → `auc` and `ap`, of each attribute and on average."""
    judged = [at for at in range(OUTPUTS) if min((truth[:, at] == 1).sum(), (truth[:, at] == 0).sum()) >= LEAST]
    out: dict[str, Any] = {}
    for level, rows in seen.items():
        z = {name: own.seen(rows) for name, own in systems.items()}
        out[level] = {}
        for kind, measure in (("auc", auc), ("ap", average_precision)):
            each = {name: [measure(own[:, at], truth[:, at] == 1, weights) for at in judged] for name, own in z.items()}
            names = [ATTRIBUTES[at] for at in judged]
            every = {name: with_differences({k: own[at] for k, own in each.items()}) for at, name in enumerate(names)}
            means = with_differences({k: Interval.mean(own) for k, own in each.items()})
            out[level][kind] = {"mean": means, "each": every}
    return out


def attribute_search(
    model: FaceTextModel, systems: Mapping[str, Directions], rows: FloatArray, truth: FloatArray, weights: FloatArray
) -> dict[str, Any]:
    """Attribute search with each system's directions, the text encoder beside them as in a search by words."""
    gains: dict[str, dict[str, dict[str, Interval]]] = {name: {} for name in systems}
    for kind, described in read_phrases().items():
        for name in systems:
            gains[name][kind] = {}
        for one in described:
            made = make_probes(silent(model), None, [(one.text,)], ["caption"])
            for name, own in systems.items():
                stated = own.stated([own.claims((one.text,), "caption")], layout(model))
                found = over_chance(one, score(stating(made, stated), rows)[0], truth, weights)
                gains[name][kind][one.text] = found["gain"]
    kinds = list(next(iter(gains.values())))
    means = {
        kind: with_differences({name: Interval.mean(list(own[kind].values())) for name, own in gains.items()})
        for kind in kinds
    }
    worse = {name: sum(int(v) for k, v in summary(own).items() if isinstance(v, int)) for name, own in gains.items()}
    each = {
        kind: {text: {name: plain(own[kind][text])[0] for name, own in gains.items()} for text in gains["blocks"][kind]}
        for kind in kinds
    }
    return {"means": means, "worse than chance": worse, "descriptions": each}


def layout(model: FaceTextModel) -> tuple[tuple[str, int], ...]:
    """That of the model's index with the heads' blocks behind it."""
    return (*model.tgfr.layout, *((name, OUTPUTS) for name in HEADS))


def silent(model: FaceTextModel) -> FaceTextModel:
    """The model whose statements move nothing; its text encoder hears lines as beside statements that do."""
    own = model.directions
    assert own is not None
    return replace(model, directions=replace(own, blocks=(), weights={}, means=np.zeros_like(own.means)))


def stating(made: Probes, stated: Stated) -> Probes:
    """Probes over the model's own blocks, with what is stated over these and the heads'."""
    queries = stated.queries.copy()
    queries[:, : made.queries.shape[1]] += made.queries
    return replace(made, queries=queries, offsets=made.offsets + stated.offsets)


def gallery_rows(model: FaceTextModel, rows: Rows) -> FloatArray:
    """Rows of an index without captions: float32 [N, D], in the order of `layout`."""
    count = len(rows[HEADS[0]])
    blocks = [rows.get(name, np.zeros((count, dim), np.float32)) for name, dim in layout(model)]
    return np.concatenate(blocks, axis=1)


def pictures(model: FaceTextModel, rows: Rows, quality: FloatArray) -> Probes:
    """Probes of pictures alone."""
    faces = Templates({name: own for name, own in rows.items() if name not in HEADS})
    return weigh(faces, quality, ["image"] * len(quality), model.scoring, model.tgfr.layout)


def rank_1(ranks: Mapping[str, Ints], own: Ints, weights: FloatArray) -> dict[str, list[float | None]]:
    """Rank-1 of each system, how far it is above that of the picture alone (`image`), and paired differences."""
    rates = {name: rate_interval((found == 1).astype(np.float64), own, weights) for name, found in ranks.items()}
    above = {f"{name} − image": own.minus(rates["image"]) for name, own in rates.items() if name != "image"}
    return {**with_differences(rates), **{name: plain(one) for name, one in above.items()}}


def taken(rows: Rows, at: npt.NDArray[np.int64]) -> Rows:
    """Some rows of every block."""
    return {name: own[at] for name, own in rows.items()}


def beside_one_line(
    model: FaceTextModel, systems: Mapping[str, Directions], valid: Chips, seen: Mapping[str, Seen]
) -> dict[str, Any]:
    """What statements of one line add to a picture: the text encoder hears nothing, and any line is statements."""
    data = join(Side.of(valid, {}), None, SEED)
    side, roles = data.probes, data.roles
    weights = subject_weights(roles.subject_count, SEED)
    rows = gallery_rows(model, taken(seen["normal"].rows, side.order[roles.gallery]))
    heard = {name: replace(own, known=frozenset()) for name, own in systems.items()}
    out: dict[str, Any] = {}
    for regime in ("own", "cross"):
        said = assign(regime, side.names, side.subjects, side.captions, SEED).probe
        told = np.array([at for at in roles.searches if said[at]], np.int64)
        lines, own = [said[at] for at in told], roles.probe_subjects[told]
        out[regime] = {"searches": len(told)}
        for level, every in seen.items():
            at = side.order[told]
            made = pictures(model, taken(every.rows, at), every.quality[at])
            out[regime][level] = rank_1(ranked(model, heard, made, made, lines, rows, own), own, weights)
    return out


def beside_people(
    model: FaceTextModel, systems: Mapping[str, Directions], valid: Chips, seen: Mapping[str, Seen], probes: Side
) -> dict[str, Any]:
    """What descriptions that people wrote add to a picture, as `people_words` has it, in a gallery without lines."""
    shown, gallery, own = chosen(probes, Side.of(valid, {}))
    system = Default("default", silent(model))
    rows, weights = gallery_rows(model, taken(seen["normal"].rows, gallery.order)), subject_weights(len(gallery), SEED)
    out: dict[str, Any] = {"searches": len(shown)}
    for level in seen:
        at = shown.view(level)
        alone, worded = (system.probes(shown, at, said, None) for said in ([()] * len(shown), shown.captions))
        out[level] = rank_1(ranked(model, systems, alone, worded, shown.captions, rows, own), own, weights)
    return out


def ranked(
    model: FaceTextModel,
    systems: Mapping[str, Directions],
    alone: Probes,
    worded: Probes,
    lines: Sequence[tuple[str, ...]],
    rows: FloatArray,
    own: Ints,
) -> dict[str, Ints]:
    """Ranks of pictures alone (`image`) and with what each system's directions state of their lines.

    Args:
        model: Whose index.
        systems: Directions.
        alone: Probes of N pictures.
        worded: The same with what else their words move, statements apart.
        lines: N tuples of lines.
        rows: Of the gallery, one a person.
        own: N rows that are searched for.
    """
    whole = layout(model)
    stated = {"image": Stated.nothing(len(lines), rows.shape[1])}
    stated |= {name: d.stated([d.claims(said, "fused") for said in lines], whole) for name, d in systems.items()}
    people, dense = np.arange(len(rows)), np.concatenate([rows, np.ones((len(rows), 1), np.float32)], axis=1)
    return {
        name: searched(stating(alone if name == "image" else worded, part), dense, own, people)
        for name, part in stated.items()
    }
