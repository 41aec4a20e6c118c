"""Which engine enrols: by name, so that only who asks for Ray loads it."""

from __future__ import annotations

from pathlib import Path

from pipelines.enrol.auto_captions import Describer
from pipelines.enrol.batches import Engine, LocalEngine
from tgfr_search.errors import InputError

ENGINES = ("local", "ray")


def make_engine(
    name: str,
    out: Path,
    *,
    workers: int | None = None,
    model: str | None = None,
    device: str = "auto",
    address: str | None = None,
    shards: Path | None = None,
    describer: Describer | None = None,
    attributes: Path | None = None,
) -> Engine:
    """An engine by name.

    Args:
        name: One of `ENGINES`.
        out: The index.
        workers: Processes that find faces (`local`), or encoders (`ray`).
        model: What workers load (`ray`).
        device: Where they encode (`ray`).
        address: Of a cluster (`ray`).
        shards: Where its workers write; None is beside the index (`ray`).
        describer: Gives words to photos that nobody described.
        attributes: Folder of its attribute model; None is the one that comes with the package (`ray`).

    Raises:
        InputError: There is no such engine, or an option belongs to the other one.
        MissingPartError: Ray is not installed.
    """
    if name == "local":
        if address is not None or shards is not None:
            raise InputError("--ray-address and --shards", found="--engine local", expected="--engine ray")
        return LocalEngine(workers, describer)
    if name == "ray":
        from pipelines.enrol.ray.engine import RayEngine

        folder = shards or out.with_name(f"{out.name}.shards")
        return RayEngine(folder, model, address, workers, device, describer=describer, attributes=attributes)
    raise InputError(f"--engine {name!r}", expected=f"one of: {', '.join(ENGINES)}")
