"""Enrolment: what goes in, what is refused and why, resuming, and what a kill leaves behind."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import indexer.io
import pipelines.enrol.embed
from indexer import ContractMismatchError, DiskFullError, IndexLockedError, Store, verify
from pipelines.enrol.index import IndexSummary, index_gallery
from pipelines.enrol.near_duplicates import find_alike
from tgfr_search.errors import FaceError, InputError, NothingUsableError, Reason
from tgfr_search.faces.finder import FaceFinder, FaceOptions
from tgfr_search.model.loaded import FaceTextModel


def enrol(folder: Path, out: Path, model: FaceTextModel, **options: object) -> IndexSummary:
    return index_gallery(folder, out, model, workers=0, **options)  # type: ignore[arg-type]


def test_a_gallery_with_captions(enrolled: tuple[Path, IndexSummary], captions: dict[str, list[str]]) -> None:
    path, summary = enrolled
    assert summary.enrolled == summary.rows >= 0.95 * 2 * PEOPLE
    assert summary.subjects == PEOPLE
    assert summary.without_caption == 0
    store = Store.open(path)
    row = store.rows([0])[0]
    assert row.captions == tuple(captions[row.image])
    assert row.subject_id == row.image.split("/")[0]
    assert set(row.metadata) > {"male", "young"}
    assert row.quality["inter_eye_px"] > 20
    assert 0 < row.quality["predicted"] <= 1
    assert row.chip is not None
    assert row.chip[:2] == b"\xff\xd8"
    blocks = store.split(store.vectors([0]))
    assert {name: float(np.linalg.norm(v)) for name, v in blocks.items()} == pytest.approx(
        dict.fromkeys(blocks, 1.0), abs=1e-4
    )


def test_without_captions_the_text_blocks_are_absent(
    gallery_folder: Path, model: FaceTextModel, tmp_path: Path
) -> None:
    summary = enrol(gallery_folder, tmp_path / "index", model)
    assert summary.without_caption == summary.rows > 0
    store = Store.open(tmp_path / "index")
    present = {name: bool(v.any()) for name, v in store.split(store.vectors([0])).items()}
    seen = {"face": True, "adapted": True, "shared_face": True}
    assert present == seen | {"caption": False, "fused": False, "description": False, "looks": True}


def test_a_second_run_adds_only_what_is_new(gallery_folder: Path, model: FaceTextModel, tmp_path: Path) -> None:
    out = tmp_path / "index"
    first = enrol(gallery_folder, out, model)
    again = enrol(gallery_folder, out, model)
    assert (again.enrolled, again.unchanged, again.rows) == (0, first.rows, first.rows)
    assert again.generation == first.generation
    one = next(gallery_folder.rglob("*.png"))
    shutil.copytree(one.parent, gallery_folder / "newcomer")
    third = enrol(gallery_folder, out, model)
    assert third.enrolled == len(list((gallery_folder / "newcomer").iterdir()))


def test_changed_captions_replace_the_row(gallery_folder: Path, model: FaceTextModel, tmp_path: Path) -> None:
    out = tmp_path / "index"
    first = enrol(gallery_folder, out, model)
    name = Store.open(out).rows([0])[0].image
    (gallery_folder / "captions.csv").write_text(f"image,caption\n{name},He wears a red hat.\n")
    second = enrol(gallery_folder, out, model)
    assert (second.enrolled, second.replaced, second.rows) == (1, 1, first.rows)
    store = Store.open(out)
    rows = [store.rows([i])[0] for i, _ in store.rows_by_image().values()]
    assert [r.captions for r in rows if r.image == name] == [("He wears a red hat.",)]


def test_the_same_photo_twice_is_kept_once_a_subject(
    gallery_folder: Path, model: FaceTextModel, tmp_path: Path
) -> None:
    one = next(gallery_folder.rglob("*.png"))
    shutil.copy(one, one.with_name("copy.png"))
    shutil.copytree(one.parent, gallery_folder / "somebody-else")
    summary = enrol(gallery_folder, tmp_path / "index", model)
    assert summary.duplicates == 2  # the copy, in either folder
    images = Store.open(tmp_path / "index").rows_by_image()
    assert any(image.startswith("somebody-else/") for image in images)


def test_the_same_photo_with_other_words_is_kept_once(
    gallery_folder: Path, model: FaceTextModel, tmp_path: Path
) -> None:
    one = min(gallery_folder.rglob("*.png"))
    copy = one.with_name("zz-copy.png")
    shutil.copy(one, copy)
    names = [path.relative_to(gallery_folder).as_posix() for path in (one, copy)]
    (gallery_folder / "captions.csv").write_text(f"image,caption\n{names[0]},A man.\n{names[1]},A hat.\n")
    for _ in range(2):
        summary = enrol(gallery_folder, tmp_path / "index", model)
        assert (summary.duplicates, summary.duplicate_images) == (1, [(names[1], names[0])])
    (gallery_folder / "captions.csv").write_text(f"image,caption\n{names[0]},Another man.\n")
    assert enrol(gallery_folder, tmp_path / "index", model).replaced == 1
    assert names[1] not in Store.open(tmp_path / "index").rows_by_image()


def test_a_photo_saved_again_is_kept_and_told(gallery_folder: Path, model: FaceTextModel, tmp_path: Path) -> None:
    one = min(gallery_folder.rglob("*.png"))
    first = enrol(gallery_folder, tmp_path / "index", model)
    assert first.near_duplicates is not None  # faces that are drawn may be that alike
    other = gallery_folder / "somebody-else"
    other.mkdir()
    Image.open(one).convert("RGB").save(other / "again.jpg", quality=90)
    summary = enrol(gallery_folder, tmp_path / "index", model)
    assert (summary.near_duplicates, summary.duplicates, summary.rows) == (1, 0, first.rows + 1)
    (row,) = summary.near_duplicate_rows
    score = row.pop("score")
    assert 0.99 <= score <= 1
    assert row == {
        "image": "somebody-else/again.jpg",
        "subject_id": "somebody-else",
        "like": one.relative_to(gallery_folder).as_posix(),
        "like_subject_id": one.parent.name,
    }
    assert enrol(gallery_folder, tmp_path / "index", model).near_duplicates == 0  # nothing new, nothing to tell
    told = find_alike(Store.open(tmp_path / "index"))
    assert (told.count, told.same_bytes) == (first.near_duplicates + 1, 0)
    assert {**row, "score": score} in told.rows
    assert find_alike(Store.open(tmp_path / "index"), at_most=5).count is None


def test_too_little_space_is_seen_before_anything_is_written(
    gallery_folder: Path, model: FaceTextModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "index"
    enrol(gallery_folder, out, model)
    before = Store.open(out)
    monkeypatch.setattr(indexer.io.shutil, "disk_usage", lambda path: SimpleNamespace(total=10**9, free=16_790_000))
    shutil.copytree(next(p for p in gallery_folder.iterdir() if p.is_dir()), gallery_folder / "newcomer")
    with pytest.raises(DiskFullError, match=r"not enough space.*found: 17 MB free; expected: 17 MB") as caught:
        enrol(gallery_folder, out, model)
    assert "nothing was written" in caught.value.do
    assert Store.open(out).generation == before.generation
    monkeypatch.setattr(indexer.io.shutil, "disk_usage", lambda path: SimpleNamespace(total=10**9, free=18_000_000))
    assert enrol(gallery_folder, out, model).enrolled > 0


def test_bad_photos_are_quarantined_and_counted(gallery_folder: Path, model: FaceTextModel, tmp_path: Path) -> None:
    good = next(gallery_folder.rglob("*.png"))
    person = gallery_folder / "unlucky"
    person.mkdir()
    Image.open(good).convert("RGB").save(person / "whole.jpg")
    (person / "cut.jpg").write_bytes((person / "whole.jpg").read_bytes()[:3000])
    (person / "stub.jpg").write_bytes((person / "whole.jpg").read_bytes()[:300])
    (person / "text.jpg").write_text("this is no picture")
    (person / "empty.png").write_bytes(b"")
    Image.new("RGB", (200, 200), "grey").save(person / "wall.png")
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    frames[0].save(person / "moving.webp", save_all=True, append_images=frames[1:])
    frames[0].save(person / "moving.gif", save_all=True, append_images=frames[1:])
    header = b"IHDR" + (30_000).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0"
    whole_header = b"\x89PNG\r\n\x1a\n\0\0\0\r" + header + zlib.crc32(header).to_bytes(4, "big")
    (person / "huge.png").write_bytes(whole_header + b"\0\0\0\0IDAT" + zlib.crc32(b"IDAT").to_bytes(4, "big"))
    summary = enrol(gallery_folder, tmp_path / "index", model)
    assert summary.quarantined == {
        "undecodable": 1,
        "truncated": 1,
        "unsupported_format": 1,
        "empty_file": 1,
        "no_face": 3,  # and of what moves, the first frame
        "too_many_pixels": 1,
    }
    assert "unlucky/whole.jpg" in Store.open(tmp_path / "index").rows_by_image()
    again = enrol(gallery_folder, tmp_path / "index", model)
    assert again.quarantined == summary.quarantined
    assert again.enrolled == 0
    # Mended, it leaves quarantine.
    shutil.copy(good, person / "wall.png")
    Image.open(good).rotate(3).save(person / "wall.png")
    mended = enrol(gallery_folder, tmp_path / "index", model)
    assert mended.enrolled == 1
    assert mended.quarantined["no_face"] == summary.quarantined["no_face"] - 1


def test_a_group_photo(gallery_folder: Path, model: FaceTextModel, tmp_path: Path) -> None:
    people = [Image.open(next(p.glob("*.png"))).convert("RGB") for p in sorted(gallery_folder.iterdir())[:2]]
    group = Image.new("RGB", (people[0].width * 2, people[0].height))
    for at, person in enumerate(people):
        group.paste(person, (at * person.width, 0))
    folder = tmp_path / "groups"
    folder.mkdir()
    group.save(folder / "two.png")
    summary = enrol(folder, tmp_path / "largest", model)
    assert (summary.enrolled, summary.several_faces_images) == (1, ["two.png"])
    assert Store.open(tmp_path / "largest").rows([0])[0].quality["faces"] == 2
    strict = FaceFinder(FaceOptions(on_multiple="error"))
    assert enrol(folder, tmp_path / "strict", model, finder=strict).quarantined == {"multiple_faces": 1}


def test_aligned_chips_need_no_detector(
    enrolled: tuple[Path, IndexSummary], model: FaceTextModel, tmp_path: Path
) -> None:
    store = Store.open(enrolled[0])
    rows = store.rows([0, 1])
    folder = tmp_path / "chips"
    folder.mkdir()
    for row in rows:
        assert row.chip is not None
        (folder / f"{row.subject_id}-{row.row_id}.jpg").write_bytes(row.chip)
    finder = FaceFinder(FaceOptions(aligned=True))
    assert enrol(folder, tmp_path / "index", model, finder=finder).enrolled == 2
    chips = Store.open(tmp_path / "index")
    cosine = (chips.split(chips.vectors([0, 1]))["face"] * store.split(store.vectors([0, 1]))["face"]).sum(axis=1)
    assert (cosine > 0.98).all()  # the crop went through one JPEG


def test_captions_of_every_kind(gallery_folder: Path, model: FaceTextModel, tmp_path: Path) -> None:
    names = sorted(p.relative_to(gallery_folder).as_posix() for p in gallery_folder.rglob("*.png"))
    texts = ["x y " * 2500, "Sie lächelt 😀 und trägt einen Hut 👒", "رجل يرتدي نظارة", "   ", "plain"]
    with (gallery_folder / "captions.csv").open("w", newline="", encoding="utf-8-sig") as file:
        table = csv.writer(file)
        table.writerow(["image", "caption", "case"])
        table.writerows([[name, text, f"00{i}"] for i, (name, text) in enumerate(zip(names, texts, strict=False))])
        table.writerow([names[1], texts[1], "001"])  # again
        table.writerow(["nobody/there.png", "a ghost", "9"])
    summary = enrol(gallery_folder, tmp_path / "index", model)
    assert summary.captions_truncated == 1
    assert summary.quarantined == {"missing_image": 1, "duplicate_row": 1}
    store = Store.open(tmp_path / "index")
    of = {image: store.rows([row])[0] for image, (row, _) in store.rows_by_image().items()}
    if names[3] in of:
        assert of[names[3]].captions == ()
    assert of[names[1]].captions == (texts[1],)
    assert of[names[1]].metadata["case"] == "001"
    assert of[names[0]].captions == (texts[0].strip(),)


def test_captions_without_the_right_columns(gallery_folder: Path, model: FaceTextModel, tmp_path: Path) -> None:
    (gallery_folder / "captions.csv").write_text("picture,words\na.png,hello\n")
    with pytest.raises(InputError, match=r"captions\.csv.*picture.*image"):
        enrol(gallery_folder, tmp_path / "index", model)


def test_one_parquet_of_images(gallery_folder: Path, model: FaceTextModel, tmp_path: Path) -> None:
    paths = sorted(gallery_folder.rglob("*.png"))[:6]
    table = pa.table(
        {
            "image": [p.read_bytes() for p in paths],
            "identity": [i // 2 for i in range(6)],
            "captions": [["a man", "with a hat"], [], None, ["she smiles"], ["x"], ["y"]],
            "file": [f"{i:03d}.png" for i in range(6)],
            "split": ["a", "a", "a", "a", "b", "b"],
            "male": [True, False, True, False, True, False],
        }
    )
    pq.write_table(table, tmp_path / "set.parquet")
    summary = enrol(tmp_path / "set.parquet", tmp_path / "index", model, split="a")
    assert summary.enrolled + sum(summary.quarantined.values()) == 4
    store = Store.open(tmp_path / "index")
    row = store.rows([store.rows_by_image()["000.png"][0]])[0]
    assert (row.subject_id, row.captions, row.metadata) == ("0", ("a man", "with a hat"), {"male": True})
    with pytest.raises(InputError, match="'c'"):
        enrol(tmp_path / "set.parquet", tmp_path / "other", model, split="c")


def test_an_empty_folder(model: FaceTextModel, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NothingUsableError, match="no image"):
        enrol(tmp_path / "empty", tmp_path / "index", model)
    with pytest.raises(InputError, match="no such file"):
        enrol(tmp_path / "not-there", tmp_path / "index", model)


def test_an_index_of_another_model_is_refused(index: Path, gallery_folder: Path, model: FaceTextModel) -> None:
    import dataclasses

    other = dataclasses.replace(model, model_id="another-model")
    with pytest.raises(ContractMismatchError, match="another-model"):
        enrol(gallery_folder, index, other)
    assert verify(index).ok


def test_an_index_being_written_is_refused(index: Path, gallery_folder: Path, model: FaceTextModel) -> None:
    with Store.open(index).writer(), pytest.raises(IndexLockedError, match=str(os.getpid())):
        enrol(gallery_folder, index, model)


def test_a_full_disk_keeps_what_was_committed(
    index: Path, gallery_folder: Path, model: FaceTextModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Store.open(index)
    real = os.fsync

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(indexer.io.os, "fsync", full)
    shutil.copytree(next(gallery_folder.iterdir()), gallery_folder / "newcomer")
    with pytest.raises(DiskFullError):
        enrol(gallery_folder, index, model)
    monkeypatch.setattr(indexer.io.os, "fsync", real)
    assert len(Store.open(index)) == len(before)
    assert verify(index).ok
    after = enrol(gallery_folder, index, model)
    assert after.enrolled - after.replaced == 2  # the others lost their captions, so their rows are made anew


PEOPLE = 12
"""As many as the fixture `demo` writes."""

KILLED = """
import sys, pipelines.enrol.index
from pathlib import Path
from tgfr_search.model.checkpoint import load_model
pipelines.enrol.index.COMMIT_ROWS = 4
import pipelines.enrol.embed
pipelines.enrol.embed.BATCH = 2
import pipelines.faces.find
pipelines.faces.find.INLINE_BELOW = 4
def progress(done, expected):
    print(done, flush=True)
    if done >= 6:
        sys.stdin.read()  # until it is killed
gallery, out, workers = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
model = load_model("tgfr-minilm-dlib", device="cpu")
pipelines.enrol.index.index_gallery(gallery, out, model, workers=workers, progress=progress)
"""


@pytest.fixture(scope="module")
def not_killed(demo: Path, model: FaceTextModel, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Ten photos, and the index of a run that goes through, in batches of two."""
    folder = tmp_path_factory.mktemp("not-killed")
    for person in range(5):
        shutil.copytree(demo / f"gallery/person{person:04d}", folder / f"gallery/person{person:04d}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipelines.enrol.embed, "BATCH", 2)
        assert enrol(folder / "gallery", folder / "index", model).rows == 10
    return folder / "gallery", folder / "index"


@pytest.mark.parametrize("workers", [0, 1])
def test_killed_in_the_middle_and_resumed(
    not_killed: tuple[Path, Path], model: FaceTextModel, tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipelines.enrol.embed, "BATCH", 2)  # as the run that is killed: last bits depend on the batch
    gallery, whole = not_killed
    out = tmp_path / "index"
    script = tmp_path / "run.py"
    script.write_text(f"if __name__ == '__main__':\n    {KILLED.strip().replace(chr(10), chr(10) + '    ')}\n")
    command = [sys.executable, str(script), str(gallery), str(out), str(workers)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= 6:
                break
        children = _children(process.pid)
        os.kill(process.pid, signal.SIGKILL)
    assert bool(children) == bool(workers)
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [child for child in children if Path(f"/proc/{child}").exists()], "workers outlived their parent"
    report = verify(out)
    assert report.ok, report.problems
    kept = len(Store.open(out))
    assert 0 < kept < 10
    summary = enrol(gallery, out, model)
    assert summary.unchanged == kept
    assert Store.open(out).digest() == Store.open(whole).digest()


def _children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found.append(int(entry.name))
    return found


def test_a_photo_that_was_refused_is_read_again_once_something_else_decodes(
    gallery_folder: Path, model: FaceTextModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(data: bytes, **options: object) -> None:
        raise FaceError(Reason.UNSUPPORTED_FORMAT, "nothing here reads it")

    with monkeypatch.context() as patch:
        patch.setattr("tgfr_search.faces.finder.decode_photo", refuse)
        refused = enrol(gallery_folder, tmp_path / "index", model).quarantined
    assert sum(refused.values()) > 2
    with monkeypatch.context() as patch:
        patch.setattr("tgfr_search.faces.finder.decode_photo", lambda data, **options: pytest.fail("looked again"))
        assert enrol(gallery_folder, tmp_path / "index", model).quarantined == refused
    monkeypatch.setattr("tgfr_search.faces.finder.decoders", lambda: "pillow 99")
    assert enrol(gallery_folder, tmp_path / "index", model).quarantined == {}
