"""Enrolment through Ray gives the very index that one process gives, whoever dies on the way."""

import dataclasses
import os
import re
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray_helpers
from gallery_helpers import write_party
from ray_helpers import DyingFinder

from indexer import Store, verify
from pipelines.enrol import embed
from pipelines.enrol.auto_captions import Describer
from pipelines.enrol.batches import enrol_batch
from pipelines.enrol.engines import make_engine
from pipelines.enrol.index import IndexSummary, contract_of, index_gallery
from pipelines.enrol.ray import engine as ray_engine
from pipelines.enrol.ray import shards
from pipelines.enrol.ray.engine import RayEngine, import_ray
from pipelines.enrol.ray.wire import faces_from_bytes, faces_to_bytes
from pipelines.enrol.ray.worker import Encoder, Work
from pipelines.faces.find import find_faces
from tgfr_search.data.records import read_records
from tgfr_search.errors import FaceError, InputError, MissingPartError, TgfrError
from tgfr_search.faces.finder import FaceFinder, FaceOptions
from tgfr_search.model.attributes import load_attributes
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.types import AlignedFace

BATCH = 4


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """One Ray for all tests: what starts it is what the engine starts, which leaves a running one alone."""
    import_ray().cloudpickle.register_pickle_by_value(ray_helpers)  # workers cannot import what lies beside a test
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_worker_niceness", "0")  # its workers give way to all others, and tests beside them never rest
        with ray_engine._cluster(None, 2) as ray:
            started = ray._private.worker._global_node.all_processes.values()
            daemons = [each.process for kind in started for each in kind]
            yield
    for daemon in daemons:
        daemon.wait(60)  # Ray does not, and Python warns of it


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed, "BATCH", BATCH)
    monkeypatch.setattr(ray_engine, "BATCH", BATCH)


def through_ray(folder: Path, out: Path, model: FaceTextModel, *, workers: int = 1, **options: object) -> IndexSummary:
    engine = RayEngine(out.with_name("shards"), workers=workers, size=BATCH, device="cpu")
    return index_gallery(folder, out, model, engine=engine, **options)  # type: ignore[arg-type]


@pytest.mark.slow
def test_workers_killed_in_the_middle(demo: Path, model: FaceTextModel, tmp_path: Path) -> None:
    """One process dies over a photo, and an encoder once the first shard is there; a photo is no picture at all."""
    folder = Path(shutil.copytree(demo / "gallery", tmp_path / "gallery"))
    photos = sorted(folder.rglob("*.png"))
    photos[5].write_bytes(photos[5].read_bytes()[:2000])
    one = index_gallery(folder, tmp_path / "one", model, workers=0)
    memory = tmp_path / "died"
    finder = DyingFinder(photo=photos[9].relative_to(folder).as_posix(), memory=str(memory))
    killed: list[int] = []
    killer = threading.Thread(target=_kill_an_encoder, args=(tmp_path / "shards", killed))
    killer.start()
    two = through_ray(folder, tmp_path / "two", model, finder=finder)
    killer.join()
    assert memory.exists()
    assert len(killed) == 1
    assert two.quarantined == one.quarantined == {"undecodable": 1}
    stores = [Store.open(tmp_path / name) for name in ("one", "two")]
    assert stores[1].digest() == stores[0].digest()
    assert two.rows == one.rows > 20
    assert verify(tmp_path / "two").ok
    assert not (tmp_path / "shards").exists()


def _kill_an_encoder(folder: Path, killed: list[int]) -> None:
    deadline = time.monotonic() + 600  # of a machine that does other work as well
    while time.monotonic() < deadline:
        if list(folder.glob(f"*{shards.SHARD}")):
            for entry in Path("/proc").iterdir():
                # Of this test's Ray only: others may run on this machine.
                if entry.name.isdigit() and _is_ours(entry) and b"MapWorker" in (entry / "cmdline").read_bytes():
                    os.kill(int(entry.name), signal.SIGKILL)
                    killed.append(int(entry.name))
                    return
        time.sleep(0.01)


def _is_ours(entry: Path) -> bool:
    """Whether this process is the other's parent, or its parent's, and so on."""
    pid = int(entry.name)
    while pid > 1:
        if pid == os.getpid():
            return True
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            return False
    return False


@pytest.mark.slow
def test_a_photo_that_kills_every_worker_ends_the_run(
    gallery_folder: Path, model: FaceTextModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_engine, "TRIES", 1)
    last = max(path.relative_to(gallery_folder).as_posix() for path in gallery_folder.rglob("*.png"))
    with pytest.raises(TgfrError, match=rf"photos, from .* to {last}; found: 1 workers died over their faces"):
        through_ray(gallery_folder, tmp_path / "index", model, finder=DyingFinder(photo=last))
    kept = {path.name for path in (tmp_path / "shards").glob(f"*{shards.SHARD}")}
    assert kept
    # The same command without the trouble; what was encoded is not encoded again.
    encoded: list[str] = []
    real = ray_engine._run

    def run(ray: Any, work: Any, names: list[str], workers: int | None) -> Iterator[str]:
        encoded.extend(names)
        return real(ray, work, names, workers)

    monkeypatch.setattr(ray_engine, "_run", run)
    through_ray(gallery_folder, tmp_path / "index", model, finder=DyingFinder(photo=""))
    assert encoded
    assert not kept & {f"{name}{shards.SHARD}" for name in encoded}
    index_gallery(gallery_folder, tmp_path / "one", model, workers=0)
    assert Store.open(tmp_path / "index").digest() == Store.open(tmp_path / "one").digest()


def test_another_model_on_a_node(gallery_folder: Path, model: FaceTextModel, tmp_path: Path) -> None:
    other = dataclasses.replace(model, model_id="another-model")
    with pytest.raises(TgfrError, match=r"the model on \S+: the index differs in model.*another-model"):
        through_ray(gallery_folder, tmp_path / "index", other)
    assert len(Store.open(tmp_path / "index")) == 0


def test_every_face_of_photos_that_nobody_described(gallery_folder: Path, model: FaceTextModel, tmp_path: Path) -> None:
    every, describer = FaceFinder(FaceOptions(on_multiple="all")), Describer.of(load_attributes(), model)
    write_party(gallery_folder)
    image = max(path.relative_to(gallery_folder).as_posix() for path in gallery_folder.rglob("*.png"))
    (gallery_folder / "captions.csv").write_text(f"image,caption\n{image},He wears a red hat.\n")
    one = index_gallery(gallery_folder, tmp_path / "one", model, finder=every, workers=0, describer=describer)
    engine = make_engine("ray", tmp_path / "two", workers=1, device="cpu", describer=describer)
    engine = dataclasses.replace(engine, size=BATCH)  # type: ignore[type-var]
    two = index_gallery(gallery_folder, tmp_path / "two", model, finder=every, engine=engine, describer=describer)
    assert two.auto_captioned == one.auto_captioned == two.rows - 1
    assert (two.several_faces, two.rows) == (1, 13)
    assert Store.open(tmp_path / "two").digest() == Store.open(tmp_path / "one").digest()
    # What an encoder says when it starts; `test_another_model_on_a_node` has how that comes back.
    contract = contract_of(model, every.detector)
    work = Work(str(tmp_path), every, contract.as_dict(), None, "float32", True, "cpu", 1, "other-1", None)
    told = re.escape(f"found: {describer.model_id}; expected: other-1")
    assert re.search(rf"the attribute model on \S+; {told}", Encoder(work).problem)


def test_workers_that_there_is_no_room_for(gallery_folder: Path, model: FaceTextModel, tmp_path: Path) -> None:
    engine = RayEngine(tmp_path / "shards", workers=1000, size=BATCH, device="cpu")
    with pytest.raises(InputError, match=r"found: 1000; expected: at most \d+: the cluster has \d+ CPUs"):
        index_gallery(gallery_folder, tmp_path / "index", model, engine=engine)


def test_a_damaged_shard_is_made_again(model: FaceTextModel, gallery_folder: Path, tmp_path: Path) -> None:
    contract = contract_of(model)
    records = list(find_faces(read_records(gallery_folder, on_problem=lambda problem: None), FaceFinder(), workers=0))
    keys = {record.name: record.name for record, _ in records}
    (name,) = shards.write_partitions(tmp_path, [record for record, _ in records], keys, 100, "test")
    again, again_keys = shards.read_partition(tmp_path, name)
    assert (again, again_keys) == ([record for record, _ in records], keys)
    batches = [enrol_batch(batch, keys, crops=True) for batch in embed.embed_found(iter(records), model)]
    shards.write_shard(tmp_path, name, contract, batches)
    path = tmp_path / f"{name}{shards.SHARD}"
    data = path.read_bytes()
    assert shards.has_shard(tmp_path, name, contract)
    for damaged in (
        data[:-100],
        data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :],
    ):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"shard .*what to do: run the same command again"):
            shards.read_shard(tmp_path, name, contract)
        assert not shards.has_shard(tmp_path, name, contract)
        assert not path.exists()
    (tmp_path / "somebody's.txt").touch()
    shards.remove_shards(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir() if entry != gallery_folder] == ["somebody's.txt"]


def test_faces_on_the_way_between_workers(gallery_folder: Path) -> None:
    (gallery_folder / "person0000" / "bad.png").write_text("no picture")
    records = read_records(gallery_folder, on_problem=lambda problem: None)
    found = [(record.name, face) for record, face in find_faces(records, FaceFinder(), workers=0)]
    back = faces_from_bytes(faces_to_bytes(found))
    assert sum(isinstance(face, FaceError) for _, face in found) >= 1
    for (image, before), (named, after) in zip(found, back, strict=True):
        assert image == named
        assert type(before) is type(after)
        if isinstance(before, AlignedFace):
            assert isinstance(after, AlignedFace)
            assert np.array_equal(before.pixels, after.pixels)
            assert np.array_equal(before.landmarks, after.landmarks)
            rest = ("source_sha256", "quality", "box", "faces_found")
            assert [getattr(before, name) for name in rest] == [getattr(after, name) for name in rest]
        else:
            assert (before.reason, before.detail) == (after.reason, after.detail)  # type: ignore[union-attr]


def test_bad_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for options in ({"workers": 0}, {"workers": -3}, {"size": 33}, {"size": 0}):
        with pytest.raises(InputError, match="expected"):
            RayEngine(tmp_path, **options)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"'spark'.*local, ray"):
        make_engine("spark", tmp_path)
    with pytest.raises(InputError, match="--ray-address and --shards; found: --engine local"):
        make_engine("local", tmp_path, address="127.0.0.1:6379")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingPartError, match=r"pip install 'tgfr-search\[ray\]'"):
        make_engine("ray", tmp_path)
