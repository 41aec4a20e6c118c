"""Enrolment on a Ray cluster, or on this machine through Ray: partitions → faces → rows, by many workers.

The only module that knows Ray. Workers write shards; the process that called commits them, in order, so that the index
is the one that a single process makes. A worker that dies is started again and does its partition once more.
"""

from __future__ import annotations

import logging
import math
import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.enrol.auto_captions import Describer
from pipelines.enrol.batches import EnrolBatch
from pipelines.enrol.embed import BATCH
from pipelines.enrol.ray import shards
from pipelines.enrol.ray.worker import Encoder, Work
from tgfr_search.errors import InputError, MissingPartError, TgfrError
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.model.checkpoint import shipped_as
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.types import Record

SHARD_RECORDS = 4 * BATCH
"""Records of a partition: whole batches, so that each is encoded beside the same others as in a single process."""

TRIES = 5
"""How often a partition is tried whose workers die: Ray itself would try for ever a photo that kills every one."""

STARTS = 3
"""How often Ray is started on this machine: its parts wait for one another, and not for long."""

ENCODER_CPUS = 0.5
"""What an encoder asks of Ray. With 1 each, two encoders on two CPUs would leave none for what feeds them, and hang."""
FINDER_CPUS = 1.0
"""What a task that finds faces asks of Ray."""


@dataclass(frozen=True)
class RayEngine:
    """Encodes through Ray Data.

    Attributes:
        folder: Where partitions and shards lie while the run lasts; every node must see it under this path.
        model: Shipped name or folder of the model, as every node finds it; None is the one that is enrolled with, by
            its shipped name, else by its folder.
        address: Of a cluster, for instance `10.0.0.5:6379` or `auto`; None starts Ray on this machine and stops it.
        workers: Encoders; None is one for every two CPUs, or one a GPU.
        device: Where they encode; `auto` is a GPU each where the cluster has any.
        size: Records of a partition, a multiple of `BATCH`.
        describer: Gives words to photos that nobody described; None leaves them without.
        attributes: Folder of its attribute model, as every node finds it; None is the one that comes with the package.

    Raises:
        InputError: A number is out of range.
        MissingPartError: Ray is not installed.
    """

    folder: Path
    model: str | None = None
    address: str | None = None
    workers: int | None = None
    device: str = "auto"
    size: int = SHARD_RECORDS
    describer: Describer | None = None
    attributes: Path | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise InputError("--workers of --engine ray", found=str(self.workers), expected="1 or more")
        if self.size < 1 or self.size % BATCH:
            raise InputError("records of a partition", found=str(self.size), expected=f"a multiple of {BATCH}")
        import_ray()

    def enrol(
        self,
        records: Iterable[Record],
        model: FaceTextModel,
        finder: FaceFinder,
        keys: Mapping[str, str],
        *,
        crops: bool,
    ) -> Iterator[EnrolBatch]:
        """See `pipelines.enrol.batches.Engine.enrol`.

        Raises:
            InputError: The cluster cannot be reached or is too small, or a shard was damaged.
            TgfrError: A node's model is not this one, or workers died over a partition at every try.
        """
        from pipelines.enrol.index import contract_of

        contract = contract_of(model, finder.detector)
        describes = None if self.describer is None else self.describer.model_id
        made_by = repr((contract.as_dict(), finder, crops, str(model.tgfr.fcam.text_dtype), describes))
        self.folder.mkdir(parents=True, exist_ok=True)
        names = list(shards.write_partitions(self.folder, records, keys, self.size, made_by))
        absent = [name for name in names if not shards.has_shard(self.folder, name, contract)]
        at = 0
        if absent:
            work = Work(
                str(self.folder.absolute()),
                finder,
                contract.as_dict(),
                self.model or shipped_as(model.model_id) or str(model.folder),
                _precision(model),
                crops,
                self.device,
                TRIES,
                describes,
                self.attributes,
            )
            with _cluster(self.address, self.workers) as ray:
                for done in _run(ray, work, absent, self.workers):
                    # Results come in order; shards that were there already come before those that had to wait.
                    upto = names.index(done, at) + 1
                    for name in names[at:upto]:
                        yield shards.read_shard(self.folder, name, contract)
                    at = upto
        for name in names[at:]:
            yield shards.read_shard(self.folder, name, contract)

    def committed(self) -> None:
        """Removes partitions and shards."""
        shards.remove_shards(self.folder)


def import_ray() -> Any:
    """The package `ray` with its Data library.

    Raises:
        MissingPartError: It is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # it reports every restart, and Ray Data's own habits
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingPartError(
            "--engine ray", found=f"no usable Ray ({error})", expected="ray[data]", do="pip install 'tgfr-search[ray]'"
        ) from error
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # the error itself is raised
    return ray


@contextmanager
def _cluster(address: str | None, workers: int | None) -> Iterator[Any]:
    """Ray, connected; what was started here is stopped here."""
    ray = import_ray()
    if ray.is_initialized():
        yield ray
        return
    quiet: dict[str, Any] = {"logging_level": "error", "log_to_driver": False}
    if address is None:
        need = math.ceil((workers or 1) * ENCODER_CPUS + FINDER_CPUS)
        where: dict[str, Any] = {"num_cpus": max(os.cpu_count() or 1, need), "include_dashboard": False}
    else:
        where = {"address": address}
    for left in reversed(range(STARTS)):
        try:
            ray.init(**where, **quiet)
            break
        except Exception as error:  # Ray raises plain ones: a start that took too long on a busy machine, for instance
            ray.shutdown()
            if address is None and left:
                continue
            raise InputError(
                f"Ray cluster {address or 'on this machine'}",
                found=str(error).strip().splitlines()[0],
                expected="a running cluster of the same Ray and Python version",
                do="`ray start --head` on its first node; see docs/scale.md",
            ) from error
    try:
        # Ray prints what its daemon reports to stdout, where a command's JSON belongs.
        with redirect_stdout(sys.stderr):
            yield ray
    finally:
        ray.shutdown()


def _run(ray: Any, work: Work, names: list[str], workers: int | None) -> Iterator[str]:
    """Names of partitions, in order, each once its shard is there."""
    total = ray.cluster_resources()
    cpus = float(total.get("CPU", 0))
    gpus = int(total.get("GPU", 0)) if work.device == "auto" or work.device.startswith("cuda") else 0
    pool = workers or gpus or max(1, int(cpus // 2))
    if pool * ENCODER_CPUS + FINDER_CPUS > cpus or (gpus and pool > gpus):
        most = int((cpus - FINDER_CPUS) / ENCODER_CPUS)
        room = f"at most {min(most, gpus) if gpus else most}: the cluster has {cpus:g} CPUs and {gpus} GPUs to use"
        raise InputError("--workers of --engine ray", found=str(pool), expected=room)
    pool = min(pool, len(names))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its own default options
        context = ray.data.DataContext.get_current().copy()
        context.enable_progress_bars = False
        context.execution_options.preserve_order = True
    with ray.data.DataContext.current(context):
        data = ray.data.from_items([{"name": name} for name in names], override_num_blocks=len(names))
        data = data.map(work.find, num_cpus=FINDER_CPUS)
        data = data.map(
            Encoder,
            fn_constructor_args=(work,),
            compute=ray.data.ActorPoolStrategy(size=pool),
            num_cpus=ENCODER_CPUS,
            num_gpus=1 if gpus else None,
        )
        try:
            for row in data.iter_rows():
                if row["problem"]:
                    raise TgfrError(row["problem"])
                yield row["name"]
        except ray.exceptions.RayError as error:
            raise TgfrError(
                "enrolment through Ray",
                found=f"{type(error).__name__}: {str(error).strip().splitlines()[0]}",
                expected="workers that finish every partition",
                do=f"look into Ray's logs, then run the same command again: it goes on with what {work.folder} holds",
            ) from error


def _precision(model: FaceTextModel) -> str:
    """As `load_model` takes it: nodes of other hardware must not choose another one."""
    return str(model.tgfr.fcam.text_dtype).removeprefix("torch.")
