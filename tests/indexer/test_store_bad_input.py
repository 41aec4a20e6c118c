"""Bad input of every kind is refused, and the error names what was found, what was expected and what to do."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from index_helpers import CONTRACT, add_rows, make_batch, random_blocks, small_index, unit

from indexer import (
    BadRowError,
    BadVectorError,
    Block,
    Contract,
    ContractMismatchError,
    DamagedIndexError,
    FormatVersionError,
    IndexerError,
    IndexExistsError,
    MissingFaissError,
    NotAnIndexError,
    QuarantineRecord,
    Store,
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "index", CONTRACT)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


BAD_FACE = unit(np.ones((2, 8)))


@pytest.mark.parametrize(
    ("face", "message"),
    [
        (BAD_FACE * [[1], [np.nan]], r"'face', row 1 \(b/1.jpg\); found: NaN or Inf"),
        (BAD_FACE * [[np.inf], [1]], r"'face', row 0 .*NaN or Inf"),
        (BAD_FACE * [[1], [1.0002]], r"'face', row 1 .*norm 1.0002"),
        (BAD_FACE * [[1e-30], [1]], r"'face', row 0 .*norm 0.0000"),
        (BAD_FACE * [[3e38], [1]], r"'face', row 0 .*norm inf"),
        (BAD_FACE[:1], r"'face'; found: shape \(1, 8\); expected: \[2, D\]"),
        (BAD_FACE[:, 0], r"'face'; found: float32 \(2,\)"),
        (BAD_FACE.astype(np.float64), r"'face'; found: float64"),
        (BAD_FACE * 0.0, r"row 0 \(a/0.jpg\); found: no block"),
    ],
)
def test_bad_vectors_are_refused(face: np.ndarray, message: str) -> None:
    face = face if message.endswith("float64") else np.asarray(face, np.float32)
    with pytest.raises(BadVectorError, match=message):
        make_batch(["a", "b"], {"face": face, "caption": np.zeros((2, 4), np.float32)})


def test_norms_within_the_tolerance_are_kept_as_they_are(store: Store) -> None:
    blocks = random_blocks(rng(), 1)
    blocks["face"] *= np.float32(1.00009)
    with store.writer() as writer:
        writer.add(make_batch(["a"], blocks))
        writer.commit()
    np.testing.assert_array_equal(store.vectors([0])[:, :8], blocks["face"])


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ({"face": BAD_FACE}, r"differ in caption; found: no caption; expected: caption\[4\]"),
        (
            {"face": BAD_FACE, "caption": unit(np.ones((2, 5)))},
            r"differ in caption; found: caption\[5\]; expected: caption\[4\]",
        ),
        (
            {"face": BAD_FACE, "caption": unit(np.ones((2, 4))), "fused": BAD_FACE},
            r"differ in fused; found: fused\[8\]",
        ),
    ],
)
def test_blocks_must_be_those_of_the_contract(store: Store, blocks: dict[str, np.ndarray], message: str) -> None:
    with store.writer() as writer, pytest.raises(BadVectorError, match=message):
        writer.add(make_batch(["a", "b"], blocks))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"images": ["one.jpg"]}, "images of a batch; found: 1 entries; expected: 2"),
        ({"subject_ids": ["a", ""]}, "subject_id of row 1"),
        ({"images": ["a.jpg", "b\udcff.jpg"]}, "image of row 1 .*UTF-8"),
        ({"image_sha256s": ["0" * 64, "XYZ"]}, "image_sha256 of row 1"),
        ({"captions": [(), "a man"]}, "captions of row 1"),
        ({"captions": [(), ("fine", "")]}, "caption of row 1"),
        ({"chips": [None, "text"]}, "chip of row 1 .*str"),
        ({"metadata": [{}, {"x": float("nan")}]}, "metadata of row 1"),
        ({"quality": [{}, {"x": object()}]}, "quality of row 1"),
    ],
)
def test_bad_rows_are_refused(changed: dict[str, object], message: str) -> None:
    with pytest.raises(BadRowError, match=message):
        make_batch(["a", "b"], random_blocks(rng(), 2), **changed)


def test_bad_quarantine_records_are_refused() -> None:
    with pytest.raises(BadRowError, match=r"reason .*'x\.jpg'"):
        QuarantineRecord("x.jpg", "", "", "")


def test_every_differing_field_of_the_contract_is_named(store: Store) -> None:
    wanted = Contract(
        (Block("face", 8), Block("caption", 5)),
        {"model_id": "tgfr-2", "face_encoder": "dlib", "text_encoder": "minilm", "preprocessing": "v2"},
    )
    with pytest.raises(ContractMismatchError) as caught:
        Store.open(store.path, wanted)
    assert str(caught.value).startswith(
        f"{store.path}: the index differs in alignment, blocks, model_id, preprocessing; "
        "found: alignment = 'sim5', blocks = 'face[8], caption[4]', model_id = 'tgfr-1', preprocessing = 'absent'; "
        "expected: alignment = 'absent', blocks = 'face[8], caption[5]', model_id = 'tgfr-2', preprocessing = 'v2'"
    )
    assert caught.value.exit_code == 2
    assert Store.open(store.path, Contract.from_dict(json.loads(json.dumps(CONTRACT.as_dict())))).contract == CONTRACT


@pytest.mark.parametrize(
    ("blocks", "fields", "metric", "message"),
    [
        ((), {}, "inner_product", "blocks"),
        ((Block("a", 2), Block("a", 3)), {}, "inner_product", "no name twice"),
        ((Block("A b", 2),), {}, "inner_product", "'A b'"),
        ((Block("a", 0),), {}, "inner_product", "dimension of block 'a'"),
        ((Block("a", 2),), {"x": 1}, "inner_product", "field 'x'"),
        ((Block("a", 2),), {}, "l2", "'l2'"),
    ],
)
def test_bad_contracts(blocks: tuple[Block, ...], fields: dict[str, str], metric: str, message: str) -> None:
    with pytest.raises(IndexerError, match=message):
        Contract(blocks, fields, metric)


def test_create_refuses_what_is_there(store: Store, tmp_path: Path) -> None:
    with pytest.raises(IndexExistsError, match="an index"):
        Store.create(store.path, CONTRACT)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    with pytest.raises(IndexExistsError, match=r"a\.jpg"):
        Store.create(tmp_path / "photos", CONTRACT)
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["a.jpg"]
    with pytest.raises(IndexExistsError, match="a file"):
        Store.create(tmp_path / "photos" / "a.jpg", CONTRACT)
    assert len(Store.create(tmp_path / "deep" / "er", CONTRACT)) == 0


def test_open_what_is_not_an_index(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "manifest.json").write_text('{"format": "something"}')
    for name, found in (("nowhere", "nothing"), ("file", "a file"), ("empty", "without"), ("other", "something else")):
        with pytest.raises(NotAnIndexError, match=f"{name}; found: .*{found}"):
            Store.open(tmp_path / name)


def test_open_another_format_version(store: Store) -> None:
    path = store.path / "manifest.json"
    path.write_text(path.read_text().replace('"format_version": 4', '"format_version": 9'))
    with pytest.raises(FormatVersionError, match="found: format version 9; expected: format version 1 or 2 or 3 or 4"):
        Store.open(store.path)


def test_open_a_half_copied_index(tmp_path: Path) -> None:
    whole = small_index(tmp_path / "whole").path
    for name, message in (
        ("manifest.json", "data files without manifest.json"),
        ("rows-00000002.parquet", r"rows-00000002.parquet \(missing\)"),
        ("deleted-00000002.parquet", r"deleted-00000002.parquet \(missing\)"),
    ):
        copy = tmp_path / f"copy-{name}"
        shutil.copytree(whole, copy)
        (copy / name).unlink()
        with pytest.raises(DamagedIndexError, match=message):
            Store.open(copy)
    copy = tmp_path / "cut"
    shutil.copytree(whole, copy)
    with (copy / "rows-00000001.parquet").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(DamagedIndexError, match=r"rows-00000001.parquet \(1000 of \d+ bytes\)"):
        Store.open(copy)
    for text in ("", "{", "[]", '{"format": "tgfr-index", "format_version": 1}'):
        (whole / "manifest.json").write_text(text)
        with pytest.raises((DamagedIndexError, NotAnIndexError)):
            Store.open(whole)


def test_an_index_replaced_under_the_store_is_noticed(store: Store) -> None:
    shutil.rmtree(store.path)
    Store.create(store.path, CONTRACT)
    with pytest.raises(IndexerError, match=store.index_id), store.writer():
        pass


def test_without_faiss_the_extra_is_named_and_exact_works(store: Store) -> None:
    add_rows(store, ["a", "b"])
    code = """
import sys
sys.modules["faiss"] = None  # what `import faiss` meets where it is not installed
import indexer, numpy as np
query = np.ones((1, 12), np.float32)
assert indexer.Store.open(sys.argv[1], backend="exact").search(query, 1)[0].shape == (1, 1)
store = indexer.Store.open(sys.argv[1])
assert store.info()["rows"] == 2
try:
    store.search(query, 1)
except indexer.MissingFaissError as error:
    assert "pip install 'tgfr-search[cpu]'" in str(error), error
else:
    raise AssertionError("no error")
"""
    subprocess.run([sys.executable, "-c", code, str(store.path)], check=True)


def test_two_builds_of_faiss_are_refused(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_rows(store, ["a"])
    for name in ("faiss_cpu", "faiss_gpu"):
        (tmp_path / f"{name}-1.15.1.dist-info").mkdir()
        text = f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.15.1\n"
        (tmp_path / f"{name}-1.15.1.dist-info" / "METADATA").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingFaissError, match=r"more than once; found: faiss-cpu and faiss-gpu.*tgfr-search\[cpu\]"):
        Store.open(store.path).load()


def test_unknown_backend(store: Store) -> None:
    with pytest.raises(IndexerError, match="'gpux'; found: unknown; expected: exact or flat or"):
        Store.open(store.path, backend="gpux").load()
