"""`data inspect` over every published layout and every other form that `index` takes."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from trees import celeba, celeba_dialog, colour, face2text, ffhq_text, ijb, lfw, lines, mm_celeba, put
from typer.testing import CliRunner

from pipelines.tools.inspect import Sample, default_text_encoder, inspect_data, line_lengths
from tgfr_search.app.cli.main import app
from tgfr_search.data.survey import NO_SPLIT, UNKNOWN_TERMS
from tgfr_search.data.surveyed import Spread, Survey
from tgfr_search.encoders.registry import make_text_encoder
from tgfr_search.errors import InputError, NothingUsableError
from tgfr_search.types import Record

pytestmark = pytest.mark.slow

# (tree, title, images by split, subjects, captioned, lines)
PUBLISHED: list[tuple[Callable[[Path], Path], str, dict[str, int], int, int, int | None]] = [
    (celeba, "CelebA", {"test": 1, "train": 1, "valid": 1}, 2, 3, None),
    (mm_celeba, "Multi-Modal CelebA-HQ", {"train": 3}, 2, 2, 3),
    (celeba_dialog, "CelebA-Dialog", {"train": 3}, 2, 2, 3),
    (face2text, "Face2Text", {"train": 2}, 2, 2, 3),
    (ffhq_text, "FFHQ-Text", {NO_SPLIT: 2}, 2, 1, 9),
    (lfw, "LFW", {NO_SPLIT: 6}, 3, 0, 0),
    (ijb, "IJB", {"gallery_G1": 2, "probe_mixed": 1}, 2, 0, 0),
]


@pytest.mark.parametrize(("tree", "title", "images", "subjects", "captioned", "said"), PUBLISHED)
def test_every_published_layout(
    tmp_path: Path,
    tree: Callable[[Path], Path],
    title: str,
    images: dict[str, int],
    subjects: int,
    captioned: int,
    said: int | None,
) -> None:
    found = inspect_data(tree(tmp_path / "set"), report=tmp_path / "page.html")
    assert title in found.form
    assert found.licence != UNKNOWN_TERMS
    assert {name: part.images for name, part in found.splits.items()} == images
    assert (found.total.images, found.total.subjects) == (sum(images.values()), subjects)
    assert found.total.captioned == captioned
    assert said is None or found.captions.lines == said
    assert found.problems == {}
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert found.licence in unescape(html)
    assert html.count("data:image/jpeg;base64,") == found.total.images


def forms(folder: Path) -> dict[str, Path]:
    """The same three images of two people as a folder, a CSV, a JSONL, a Parquet of paths and one of images."""
    for name, value in (("ann/1.png", 10), ("ann/2.png", 20), ("bob/1.png", 30)):
        colour(folder / "photos" / name, value)
    said = {"ann/1.png": "A woman.", "ann/2.png": "She smiles.", "bob/1.png": "A man."}
    lines(folder / "photos/captions.csv", "image,caption", *(f"{name},{text}" for name, text in said.items()))
    rows = [
        {
            "image": f"photos/{name}",
            "subject_id": name[:3],
            "caption": text,
            "split": "test" if "bob" in name else "dev",
        }
        for name, text in said.items()
    ]
    lines(folder / "t.csv", ",".join(rows[0]), *(",".join(row.values()) for row in rows))
    lines(folder / "t.jsonl", *(json.dumps(row) for row in rows))
    pq.write_table(pa.Table.from_pylist(rows), folder / "paths.parquet")
    whole = [{**row, "image": (folder / row["image"]).read_bytes(), "file": row["image"]} for row in rows]
    pq.write_table(pa.Table.from_pylist(whole), folder / "images.parquet")
    names = ("t.csv", "t.jsonl", "paths.parquet", "images.parquet")
    return {"folder": folder / "photos", **{name: folder / name for name in names}}


@pytest.mark.parametrize("form", ["folder", "t.csv", "t.jsonl", "paths.parquet", "images.parquet"])
def test_every_other_form(tmp_path: Path, form: str) -> None:
    source = forms(tmp_path)[form]
    found = inspect_data(source)
    assert (found.total.images, found.total.subjects, found.total.subjects_of_two) == (3, 2, 1)
    assert (found.total.genuine_pairs, found.total.images_per_subject) == (1, Spread(1, 1.5, 1.5, 2))
    assert (found.captions.lines, found.captions.distinct) == (3, 3)
    assert found.licence == UNKNOWN_TERMS
    assert found.problems == {}
    assert found.duplicates == 0
    if form == "folder":
        assert list(found.splits) == [NO_SPLIT]
        return
    assert {name: part.images for name, part in found.splits.items()} == {"dev": 2, "test": 1}
    one = inspect_data(source, split="test")
    assert (one.total.images, one.total.subjects, list(one.splits)) == (1, 1, ["test"])
    with pytest.raises(InputError, match="expected: the split 'train'"):
        inspect_data(source, split="train")


def test_what_is_wrong_is_counted_and_named(tmp_path: Path) -> None:
    mm_celeba(tmp_path / "set")
    (tmp_path / "set/image/images/2.jpg").unlink()  # listed by the mapping
    put(tmp_path / "set/text/celeba-caption/78.txt", "Nobody.")  # describes no image
    same = (tmp_path / "set/image/images/0.jpg").read_bytes()
    (tmp_path / "set/image/images/10.jpg").write_bytes(same)  # another subject's
    found = inspect_data(tmp_path / "set", report=tmp_path / "page.html")
    assert found.problems == {"missing_image": 1, "unmatched_caption": 1}
    assert found.total.images == 2
    assert (found.duplicates, found.two_owners) == (1, 1)
    assert found.duplicate_examples == ["image/images/10.jpg is image/images/0.jpg, under subject 9 and not 100"]
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    for words in ("image/images/2.jpg: missing_image", "78.txt: unmatched_caption", "under subject 9 and not 100"):
        assert words in html


def test_an_empty_and_a_broken_file(tmp_path: Path) -> None:
    colour(tmp_path / "set/ann/1.png", 9)
    put(tmp_path / "set/ann/2.png", "")
    put(tmp_path / "set/bob/1.png", "no picture")
    found = inspect_data(tmp_path / "set", report=tmp_path / "page.html")
    assert (found.total.images, found.problems) == (2, {"empty_file": 1})
    assert "unsupported_format" in (tmp_path / "page.html").read_text(encoding="utf-8")
    (tmp_path / "set/ann/1.png").write_bytes(b"")
    (tmp_path / "set/bob/1.png").unlink()
    with pytest.raises(NothingUsableError, match="2 empty_file"):
        inspect_data(tmp_path / "set")


def test_subjects_of_two_splits_are_told(tmp_path: Path) -> None:
    for number in range(3):
        colour(tmp_path / f"{number}.png", 40 * number)
    rows = ("image,subject_id,split", "0.png,ann,train", "1.png,ann,test", "2.png,bob,test")
    found = inspect_data(lines(tmp_path / "t.csv", *rows), report=tmp_path / "page.html")
    assert found.shared_subjects == {"test, train": 1}
    assert "1 subjects are in both of test, train" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_caption_lengths_are_the_tokenizers(tmp_path: Path) -> None:
    """A line of n plain words is n + 2 tokens of BERT's kind; a longer one than is read counts as cut."""
    encoder = make_text_encoder(str(default_text_encoder()))
    assert line_lengths(encoder, ["a man", "he has black hair", "hat " * 200]) == ([4, 6, 64], 1)  # type: ignore[arg-type]
    colour(tmp_path / "ann.png", 1)
    colour(tmp_path / "bob.png", 2)
    rows = ("image,caption", "ann.png,a man", "ann.png,he has black hair", f"bob.png,{'hat ' * 200}", "bob.png,a man")
    captions = inspect_data(tmp_path, captions=lines(tmp_path / "said.csv", *rows)).captions
    assert (captions.lines, captions.distinct, captions.cut, captions.reads) == (4, 3, 1, 64)
    assert captions.lines_per_image == Spread(2, 2.0, 2.0, 2)
    assert captions.words_per_line == Spread(2, 3.0, 52.0, 200)  # 2, 2, 4, 200
    assert captions.tokens_per_line == Spread(4, 6.0, 24.67, 64)


def test_the_page_loads_nothing_and_believes_no_data(tmp_path: Path) -> None:
    colour(tmp_path / "set/ann.png", 200)
    rows = ("image,caption,subject_id", 'ann.png,"<script>alert(1)</script>",<b>ann')
    found = inspect_data(tmp_path / "set", captions=lines(tmp_path / "c.csv", *rows), report=tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert found.total.images == 1
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "&lt;b&gt;ann" in html
    assert "default-src 'none'" in html
    assert not re.search(r"(src|href)=\"(?!data:)", html)
    (picture,) = re.findall(r"base64,([^\"]+)", html)
    assert Image.open(io.BytesIO(base64.b64decode(picture))).size == (16, 20)


def test_a_sample_is_drawn_from_the_whole_stream() -> None:
    def drawn(seed: int) -> list[str]:
        sample = Sample(5, seed)
        for number in range(200):
            sample.add(Record(f"{number:03d}", "ann", data=b"x"), b"x")
        return [record.name for record, _ in sample.kept]

    assert drawn(0) == drawn(0)
    assert drawn(0) != drawn(1)
    assert len(set(drawn(0))) == 5
    assert max(name for seed in range(5) for name in drawn(seed)) > "150"


def test_the_command(tmp_path: Path) -> None:
    source = celeba(tmp_path / "set")
    (source / "img_align_celeba/000002.jpg").unlink()
    out = CliRunner().invoke(
        app, ["data", "inspect", str(source), "--split", "train", "--json"], catch_exceptions=False
    )
    tree = json.loads(out.stdout)
    assert out.exit_code == 0
    assert tree["total"]["images"] == 1
    assert Survey.__dataclass_fields__.keys() == tree.keys()
    page = tmp_path / "page.html"
    out = CliRunner().invoke(app, ["data", "inspect", str(source), "--report", str(page)], catch_exceptions=False)
    assert "non-commercial" in out.stdout
    assert "img_align_celeba/000002.jpg: missing_image" in out.stderr
    assert page.is_file()
    with pytest.raises(InputError, match=r"ending '\.pdf'; expected: \.html"):
        inspect_data(source, report=tmp_path / "page.pdf")
