"""What the workers of a Ray cluster do: find the faces of a partition, and encode it into a shard. It knows no Ray."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from indexer import Contract, ContractMismatchError
from pipelines.enrol.auto_captions import Describer
from pipelines.enrol.batches import enrol_batch, finder_name
from pipelines.enrol.embed import embed_found, net_threads
from pipelines.enrol.ray import shards
from pipelines.enrol.ray.wire import faces_from_bytes, faces_to_bytes
from pipelines.faces.find import find_faces
from tgfr_search.errors import InputError, TgfrError
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.model.attributes import load_attributes
from tgfr_search.model.checkpoint import load_model


@dataclass(frozen=True)
class Work:
    """What every worker is told. What is wrong comes back as a value: Ray keeps no exception whole on its way."""

    folder: str
    finder: FaceFinder
    contract: dict[str, Any]
    model: str | None
    precision: str
    crops: bool
    device: str
    tries: int
    describes: str | None
    attributes: Path | None

    def find(self, row: dict[str, Any]) -> dict[str, Any]:
        """Reads a partition's photos, and finds and aligns their faces: the stage before the encoders."""
        folder, name = Path(self.folder), row["name"]
        try:
            shards.count_try(folder, name, "faces", self.tries)
            records, _ = shards.read_partition(folder, name)
            finder = replace(self.finder, crops=self.crops)
            found = [(record.name, face) for record, face in find_faces(records, finder, workers=0)]
        except TgfrError as error:
            return {"name": name, "faces": b"", "problem": str(error)}
        return {"name": name, "faces": faces_to_bytes(found), "problem": ""}


class Encoder:
    """One actor of the pool: keeps the model loaded.

    Args:
        work: What every worker is told.
    """

    def __init__(self, work: Work) -> None:
        from pipelines.enrol.index import contract_of

        self.work, self.contract, self.problem = work, Contract.from_dict(work.contract), ""
        try:
            self.model = load_model(work.model, device=work.device, precision=work.precision)
            contract_of(self.model, work.finder.detector).require(self.contract, f"the model on {os.uname().nodename}")
            self.describer = self._describer()
        except (TgfrError, ContractMismatchError) as error:
            self.problem = str(error)

    def _describer(self) -> Describer | None:
        if self.work.describes is None:
            return None
        describer = Describer.of(load_attributes(self.work.attributes, self.model.tgfr.device), self.model)
        if describer.model_id != self.work.describes:
            raise InputError(
                f"the attribute model on {os.uname().nodename}", found=describer.model_id, expected=self.work.describes
            )
        return describer

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Encodes a partition's faces into its shard; answers with its name and what went wrong, if anything did."""
        folder, name, problem = Path(self.work.folder), row["name"], row["problem"] or self.problem
        if not problem:
            try:
                shards.count_try(folder, name, "rows", self.work.tries)
                records, keys = shards.read_partition(folder, name)
                detector = finder_name(self.work.finder)
                of = {record.name: record for record in records}
                found = ((of[image], face) for image, face in faces_from_bytes(row["faces"]))
                batches = (
                    enrol_batch(batch, keys, crops=self.work.crops, describer=self.describer, detector=detector)
                    for batch in embed_found(found, self.model, self.describer)
                )
                with net_threads(1):  # as beside few finders in a single process: last bits depend on it
                    shards.write_shard(folder, name, self.contract, batches)
            except TgfrError as error:
                problem = str(error)
        return {"name": name, "problem": problem}
