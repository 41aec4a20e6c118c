"""Fits what reads the block of attributes off the maps of a joint face encoder's members.

    python -m pipelines.tools.fit_attribute_reader MODEL DATA --out FOLDER [--split train] [--cache runs/features]

MODEL says which members read a face, and what finds it; DATA has the 40 attributes as columns. One view of every photo
is read, one in three degraded. FOLDER is what `join_faces --attributes` takes, and `attributes` in a joint.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

import tgfr_search
from pipelines.train.attributes.head import labels_of
from pipelines.train.attributes.map_head import ALPHAS, Head, fit_head
from pipelines.train.attributes.map_parts import Arrays, in_parts
from pipelines.train.attributes.rows import StatementOptions, some_chips, train_views
from pipelines.train.attributes.solve import Floats, figures_of
from tgfr_search.data.captions import ATTRIBUTES
from tgfr_search.encoders.adapted import AdaptedFaceEncoder
from tgfr_search.encoders.attribute_reader import BLOCK, FORMAT, averaged, maps_told
from tgfr_search.encoders.base import FaceEncoder
from tgfr_search.encoders.joint import JointFaceEncoder
from tgfr_search.errors import InputError
from tgfr_search.faces.wide import cut
from tgfr_search.files import replace_text
from tgfr_search.model.checkpoint import load_model, machine
from tgfr_search.shipped import write_shipped
from tgfr_search.types import ByteArray

OPTIONS = StatementOptions(data=Path())


def mean_auc(outputs: Floats, labels: Floats) -> float:
    """Of all attributes that some faces have and some have not; [N, A] each."""
    return float(np.mean([own for own in figures_of(outputs, labels)["auc"].values() if own is not None]))


def card(head: Head, labels: Floats, told: dict[str, str]) -> str:
    """The reader's card, in Markdown."""
    held = figures_of(head.held_out, labels)
    rows = [f"| {name} | {held['share'][name]:.1%} | {held['auc'][name]:.2f} |" for name in ATTRIBUTES]
    return f"""# Reader of attributes

A ridge regression (alpha {head.alpha:g}) of people's labels on averages of the maps of `{told["encoders"]}`.

- **Licence**: {told["licence"]}.
- **Data** (SHA-256 {told["data_sha256"]}): {told["images"]} images of {told["subjects"]} people, one view each, one in
  three degraded. Seed {told["seed"]}, tgfr-search {told["package"]}, {told["machine"]}.
- **Limits**: the labels are annotators' impressions of photographs of celebrities, and noisy. What it says is an
  impression of a picture, not a fact about a person.

AUC of each person by the quarter of people that was left out; {mean_auc(head.held_out, labels):.4f} on average:

| attribute | share of faces | AUC |
|---|---|---|
{chr(10).join(rows)}
"""


def _map(member: FaceEncoder, chips: ByteArray) -> Tensor:
    return member.regions(chips) if isinstance(member, AdaptedFaceEncoder) else member.encode(chips).regions


def _progress(what: str, done: int, total: int) -> None:
    sys.stderr.write(f"{what}: {done:,}{f' of {total:,}' if total else ''}\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="name or folder")
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--split", default=OPTIONS.train)
    parser.add_argument("--every", type=int, default=1, help="only each so-many-th photo")
    parser.add_argument("--alpha", type=float, nargs="+", default=ALPHAS, help="of the ridge: the best by folds")
    parser.add_argument("--cache", type=Path, default=OPTIONS.cache)
    parser.add_argument("--workers", type=int, default=None)
    given = parser.parse_args(arguments)
    model, started = load_model(given.model), time.time()
    encoder = model.face_encoder
    if not isinstance(encoder, JointFaceEncoder):
        raise InputError(f"{model.folder}", found=encoder.spec.name, expected="a joint face encoder")
    members = encoder.members

    def read(chips: ByteArray) -> Arrays:
        maps = [_map(member, cut(chips, member.spec.alignment)) for member in members]
        return {f"{at}": averaged(own).half().numpy() for at, own in enumerate(maps)}

    options = StatementOptions(data=given.data, cache=given.cache)
    chips = some_chips(options, given.split, given.every, model.find_with(), given.workers, _progress)
    name = "&".join(member.spec.weights_key for member in members)
    columns = in_parts(given.cache, name, read, chips, train_views(len(chips)), _progress)
    labels = labels_of(chips).astype(np.float64)
    head = fit_head(
        [columns[key] for key in columns], labels, chips.subjects, lambda out: mean_auc(out, labels), given.alpha
    )
    told = {
        "format": FORMAT,
        "maps": maps_told([member.spec.regions for member in members]),
        "encoders": "&".join(member.spec.name for member in members),
        "alpha": f"{head.alpha:g}",
        "data_sha256": chips.data_sha256,
        "images": f"{len(chips)}",
        "subjects": f"{len(set(chips.subjects))}",
        "licence": options.licence,
        "seed": f"{options.seed}",
        "package": tgfr_search.__version__,
        "machine": f"{machine()['device']}, {time.time() - started:.0f} s",
    }
    arrays: Arrays = {
        "mean": head.mean.astype(np.float32),
        "spread": head.spread.astype(np.float32),
        "weights": head.weights.astype(np.float16),
    }
    write_shipped(given.out, arrays, told)
    replace_text(given.out / "CARD.md", card(head, labels, told))
    print(json.dumps({"folder": f"{given.out}", BLOCK: mean_auc(head.held_out, labels), **told}, indent=1))


if __name__ == "__main__":
    main()
