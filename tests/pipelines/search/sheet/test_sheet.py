"""Sheets: data is never markup, text is drawn or told, nobody's file is overwritten, and no answer is lost."""

import dataclasses
import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from command_helpers import run_here
from PIL import Image, features

from pipelines.enrol.index import IndexSummary
from pipelines.search.gallery import Gallery
from pipelines.search.sheet import sheet
from pipelines.search.sheet.sheet import write_sheet
from pipelines.search.sheet.text import drawable, fit, wrap
from tgfr_search.errors import InputError
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.outputs import WriteError
from tgfr_search.visible import visible

HOSTILE = [
    "<script>alert(1)</script>",
    "\" onload='x' x=\"",
    "</style></title><img src=http://x>",
    "&lt;b&gt;",
    "\u202egpj.exe\u2028",
    "evil\x1b[31m\x00",
    "\udcff.jpg",
    "田中太郎",
    "محمد علي",
]


@pytest.fixture(scope="module")
def gallery(enrolled: tuple[Path, IndexSummary], model: FaceTextModel) -> Gallery:
    return Gallery.open(enrolled[0], model=model)


class Page(HTMLParser):
    """Elements, attributes and text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("ending", [".html", ".png"])
def test_hostile_names_are_text(gallery: Gallery, tmp_path: Path, ending: str) -> None:
    plain = gallery.query(caption="a man", top_k=len(HOSTILE))
    hits = [
        dataclasses.replace(hit, subject_id=name, image=f"{name}/view0.png", caption=f"{name} said")
        for hit, name in zip(plain.candidates, HOSTILE, strict=True)
    ]
    result = dataclasses.replace(plain, candidates=tuple(hits), model_id=HOSTILE[0], index_id=HOSTILE[1])
    sheet = tmp_path / f"sheet{ending}"
    write_sheet(sheet, gallery, result, None, tuple(HOSTILE))
    write_sheet(sheet, gallery, result, None, tuple(HOSTILE))  # over its own earlier output
    if ending == ".png":
        with Image.open(sheet) as picture:
            picture.verify()
        return
    page = Page()
    text = sheet.read_text(encoding="utf-8")
    page.feed(text)
    assert not page.tags & {"script"}
    assert "onload" not in page.attributes
    assert not set(text) & set("\u202e\u2028\x1b\x00")
    for name in HOSTILE:
        assert page.text.count(visible(name)) >= 3, name


def test_text_is_drawn_or_told() -> None:
    assert drawable("Jürgen Жуков")[0] == "Jürgen Жуков"
    for text in ("田中太郎", "\U0001f600", "a\nb"):
        shown, font = drawable(text)
        if shown != text:
            assert "\\" in shown  # code points, not boxes
        else:
            assert bytes(font.getmask(text[0])) != bytes(font.getmask("\U0010fffd"))
    assert (drawable("محمد")[0] == "محمد") is features.check("raqm")
    font = drawable("x")[1]
    one, two = (fit(f"CASE-2024-0000000000000000000000{n}", font, 150) for n in (1, 2))
    assert one != two
    assert "…" in one
    assert font.getlength(one) <= 150
    lines = wrap("a man with black hair and a very long beard " * 9, font, 200, 4)
    assert len(lines) == 4
    assert all(font.getlength(line) <= 200 for line in lines)
    assert all(word in "a man with black hair and very long beard" for line in lines[:3] for word in line.split())
    assert lines[-1].endswith("…")
    assert "".join(wrap("x" * 100, font, 50, 99)) == "x" * 100
    assert wrap("", font, 50, 3) == []


def test_a_sheet_never_overwrites_the_probe_or_a_strangers_file(gallery: Gallery, demo: Path, tmp_path: Path) -> None:
    probe = tmp_path / "probe.png"
    shutil.copy(demo / "probes/person0000.png", probe)
    before = probe.read_bytes()
    result = gallery.query(caption="a man", top_k=2)
    with pytest.raises(InputError, match="an input"):
        write_sheet(probe, gallery, result, probe, (), force=True)
    with pytest.raises(InputError, match="did not write"):
        write_sheet(probe, gallery, result, None, ())
    assert probe.read_bytes() == before
    write_sheet(probe, gallery, result, None, (), force=True)


def test_the_answer_is_printed_before_a_sheet_that_fails(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sheet that cannot be written is told before the work; one that fails afterwards costs no answer."""

    def full(*arguments: object, **options: object) -> None:
        raise WriteError("sheet.html", found="No space left on device")

    monkeypatch.setattr(sheet, "write_whole", full)
    monkeypatch.chdir(tmp_path)
    done = run_here(capsys, "query", "--caption", "a man", "--index", index, "--json", "--sheet", "sheet.html")
    assert done.code == 2
    assert "No space left" in done.stderr
    assert json.loads(done.stdout)["candidates"]  # one object, also where an error follows
