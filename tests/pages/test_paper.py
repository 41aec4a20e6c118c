"""What is printed: text and never markup, the same bytes twice, the fonts inside; a code that a camera reads."""

from __future__ import annotations

import builtins
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tgfr_search.errors import MissingPartError
from tgfr_search.outputs import is_ours
from tgfr_search.pages import paper
from tgfr_search.pages.paper import printed
from tgfr_search.pages.qr import qr_svg

MADE = datetime(2026, 11, 25, 21, 30, tzinfo=UTC)
HOSTILE = '#read("/etc/passwd") $x$ *b* <a> \\ \x1b[31m \u202egnp.exe'


def facts(purpose: str = "fraud", subject: str = "person0001") -> dict[str, Any]:
    decided = {"decision": "excluded", "conclusion": "", "reason": "", "when": "2026-11-25T21:00:00.000Z"}
    hit = {
        "rank": 1,
        "subject_id": subject,
        "row_id": 4,
        "score": "−0,500",
        "ratio": "−0.4 (−0.9 … 0.2)",
        "expected": "7.3",
    }
    search = {
        "name": "S0001", "actor": "a", "started": "s", "ended": "e", "rows": "10.000", "searched": "412",
        "asked_for": 1, "faces": 2, "face": "number 2", "steps": ["crop"], "hits": [hit], "calibration": "c" * 64,
        "cohort": "d" * 64, "index_sha256": "e" * 64,
        "propositions": ["H1", "H2"], "population": "", "none": "n", "quality": "0,53", "eyes": "41",
        "index_id": "i@3", "model_id": "m", "notes": [], "evidence": "E0001.jpg", "pictures": ["E0001.jpg"],
        "lines": ["a man"], "where": None,
        "origin": "witness", "released_by": "r", "conclusion": "no candidate",
        "persons": [{"actor": "a", "conclusion": "no candidate", "decisions": {4: "excluded"}, "text": "t",
                     "suitable": True}],
        "history": [{"actor": "a", "act": "decide", "rank": "1", **decided}],
        "foils": {"note": "n", "rows": [{"row": 7, "decisions": {"a": "excluded"}}]},
        "marks": [{"rank": 1, "actor": "a", "feature": "chin or jawline", "found": "not visible", "note": subject,
                   "place": "(0,10; 1,20) –"}],
    }  # fmt: skip
    case = {
        "id": "0" * 16,
        "opened": "o",
        "by": "a",
        "fields": {"unit": "K 12"},
        "purpose": purpose,
        "basis": "b",
        "notes": [],
    }
    return {
        "case": case, "evidence": [{"name": "E0001.jpg", "kind": "still", "received": "w", "sha256": "a" * 64}],
        "searches": [search],
        "derived": [{"name": "D0001.png", "parent": "E0001.jpg", "done": "crop (left = 10)", "received": "w",
                     "sha256": "b" * 64}],
        "checkpoint": ["origin", "41", "hash", "", "— origin seal"], "entries": "41", "ended": "e", "software": "s",
        "disclosed": ["search"], "qr": qr_svg("x"),
    }  # fmt: skip


def test_the_same_values_give_the_same_bytes() -> None:
    data = printed("case_report.typ", facts(), language="de", made=MADE)
    assert data == printed("case_report.typ", facts(), language="de", made=MADE)
    assert data[:5] == b"%PDF-"
    assert b"D:20261125213000Z" in data
    fonts = set(re.findall(rb"/FontName/([A-Z]{6}\+[\w-]+)", data))
    assert len(fonts) == len(re.findall(rb"/FontFile[23]? ", data)) >= 3
    assert re.search(rb"pdfaid:part>2<.*pdfaid:conformance>A<", data)


@pytest.mark.parametrize("text", [HOSTILE, "王小明", "محمد", "\U0001f600", "Ł́ Ω ж"])
def test_whatever_somebody_wrote_is_printed_as_text(text: str) -> None:
    plain = printed("case_report.typ", facts(), language="en", made=MADE)
    data = printed("case_report.typ", facts(text, text), language="en", made=MADE)
    assert data[:5] == b"%PDF-"
    assert data != plain


def test_a_printed_file_is_known_again(tmp_path: Path) -> None:
    file = tmp_path / "r.pdf"
    file.write_bytes(printed("case_report.typ", facts(), language="en", made=MADE))
    assert is_ours(file)
    file.write_bytes(b"%PDF-1.7\n/Author(somebody)/Title(of tgfr-search)")
    assert not is_ours(file)


def test_without_the_compiler_the_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *given: Any, **options: Any) -> Any:
        if name == "typst":
            raise ModuleNotFoundError("No module named 'typst'", name="typst")
        return real(name, *given, **options)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MissingPartError, match=r"pip install 'tgfr-search\[report\]'"):
        paper.check_printer()


def test_a_camera_reads_the_code() -> None:
    text = "tgfr-search.audit/c9870f92a0119730\n41\ncNCWPNJ14HAugwIUgrpMzneFyWzkD/aGMyXz2/C/6Fs=\n\n— x 592tbO7qfx=\n"
    svg = qr_svg(text)
    side = int(json.loads(re.search(r'viewBox="0 0 (\d+) \d+"', svg)[1]))  # type: ignore[index]
    dark = np.zeros((side, side), bool)
    for path in re.findall(r'stroke="#000" d="([^"]+)"', svg):
        x = y = 0.0
        for move, numbers in re.findall(r"([Mmh])([^Mmh]+)", path):
            given = [float(number) for number in re.findall(r"-?[\d.]+", numbers)]
            if move == "h":
                dark[int(y), int(x) : int(x + given[0])] = True
                x += given[0]
            else:
                x, y = (given[0], given[1]) if move == "M" else (x + given[0], y + given[1])
    picture = np.kron(np.where(dark, 0, 255).astype(np.uint8), np.ones((8, 8), np.uint8))
    assert cv2.QRCodeDetector().detectAndDecode(picture)[0] == text
