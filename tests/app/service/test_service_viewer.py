"""The viewer's coordinates: the photo as received lies where its face does, and that where candidates' faces do."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from service_helpers import SEARCH, Browser
from test_service_pages import check

from tgfr_search.app.service.hub import Hub
from tgfr_search.app.service.pictures import Eyes, Placed, Places, eyes_of, placed, probe_chip
from tgfr_search.faces.align import DLIB_CHIP


def test_a_photo_that_is_the_chip_already_stays_where_it_is() -> None:
    side = DLIB_CHIP.size
    assert Placed(side, side, DLIB_CHIP.points, DLIB_CHIP).transform() == pytest.approx((1, 0, 0, 1, 0, 0), abs=1e-5)
    twice = Placed(4 * side, 2 * side, 2 * DLIB_CHIP.points + 0.5 + [2 * side, 0], DLIB_CHIP)
    assert twice.transform() == pytest.approx((2, 0, 0, 2, -1, 0), abs=1e-5), "the right half of a photo twice as fine"


@pytest.mark.parametrize("angle", [0, 25])
def test_the_photo_lies_under_the_cut_out_face(hub: Hub, probe: Path, angle: int) -> None:
    """Laid as CSS lays it (in parts of its own width and height), it shows in the pane what the cut-out face shows."""
    large = Image.open(probe).convert("RGB").rotate(angle, expand=True, fillcolor="grey")
    photo = Image.new("RGB", (large.width + 140, large.height + 60), "grey")
    photo.paste(large, (90, 20))
    buffer = io.BytesIO()
    photo.save(buffer, "PNG")
    gallery = hub.gallery()[1]
    place = placed(gallery, buffer.getvalue())
    assert place is not None
    chip = np.asarray(Image.open(io.BytesIO(probe_chip(gallery.finder, buffer.getvalue(), place))), np.float64)
    side, (a, b, c, d, x, y) = len(chip), place.transform()
    scale = side / photo.width  # an element as wide as the pane
    moved = np.array([[a * scale, c * scale, x * side], [b * scale, d * scale, y * side / photo.width * photo.height]])
    centred = moved @ np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]]) - [[0, 0, 0.5], [0, 0, 0.5]]
    laid = cv2.warpAffine(np.asarray(photo), centred, (side, side), flags=cv2.INTER_LINEAR, borderValue=(128,) * 3)
    inner = (slice(side // 5, -side // 5),) * 2
    assert np.abs(laid[inner] - chip[inner]).mean() < 3
    shifted = np.roll(laid, side // 40, axis=1)[inner]
    assert np.abs(shifted - chip[inner]).mean() > 2 * np.abs(laid[inner] - chip[inner]).mean()


def test_the_page_has_the_photo_and_the_face_of_it(client: TestClient, hub: Hub, probe: Path) -> None:
    browser = Browser(client, "examiner-1")
    case = browser.post("/cases", **SEARCH).headers["location"]
    browser.post(f"{case}/evidence", files=[("file", ("a.png", probe.read_bytes()))], kind="still")
    search = browser.post(f"{case}/searches", evidence="E0001.png", top_k="2").headers["location"]
    browser.post(search, act="begin")
    for step in ("analyse", "decide"):
        text = browser.get(search).text
        check(text)
        found = re.search(r'data-src="([^"]+)" data-place="([-.e\d ]+)"', text)
        assert found is not None, step
        assert browser.get(found[1]).headers["content-type"] == "image/jpeg"
        assert f'href="{found[1]}"' in text, "without a script it is behind a link"
        browser.post(search, act="analyse", text="sharp")
    words = browser.post(f"{case}/searches", lines="a man", top_k="2").headers["location"]
    browser.post(words, act="begin")
    assert "data-place" not in browser.get(words).text
    assert browser.get(f"{search}/probe?picture=2").status_code == 404


def test_a_place_in_a_face_is_counted_from_between_the_eyes(hub: Hub) -> None:
    eyes = eyes_of(hub.gallery()[1])
    assert [eyes.place(point) for point in ((-0.5, 0), (0.5, 0))] == [
        pytest.approx(each) for each in (eyes.left, eyes.right)
    ]
    level = Eyes((0.3, 0.4), (0.7, 0.4))
    assert level.place((0, 1)) == pytest.approx((0.5, 0.8)), "y down"
    assert Eyes((0.5, 0.3), (0.5, 0.7)).place((0, 0.25)) == pytest.approx((0.4, 0.5)), "y is a quarter turn on from x"


def test_marks_go_with_a_decision_and_are_read_afterwards(client: TestClient, hub: Hub, probe: Path) -> None:
    browser = Browser(client, "examiner-1")
    case = browser.post("/cases", **SEARCH).headers["location"]
    browser.post(f"{case}/evidence", files=[("file", ("a.png", probe.read_bytes()))], kind="still")
    search = browser.post(f"{case}/searches", evidence="E0001.png", top_k="2").headers["location"]
    browser.post(search, act="begin")
    browser.post(search, act="analyse", text="sharp")
    text = browser.get(search).text
    assert len(re.findall(r'<details class="marks" hidden data-eyes="[.\d]+ [.\d]+ [.\d]+ [.\d]+"', text)) == 1
    mark = {"feature": "ears", "found": "not visible", "note": "<i>hair</i>", "probe": None, "candidate": [0, 0]}
    for wrong in ('{"no": "list"}', "x", json.dumps([{**mark, "candidate": [9, 9]}])):
        sent = browser.post(search, act="decide", label="C01", decision="excluded", marks=wrong)
        assert sent.status_code == 409, wrong
    given = {"label": "C01", "decision": "excluded", "marks": json.dumps([mark])}
    assert browser.post(search, act="decide", **given).status_code == 303
    assert "ears: <b>not visible</b> &lt;i&gt;hair" in browser.get(search).text, "one's own decisions can be read"
    browser.post(search, act="decide", label="C02", decision="excluded", marks="")
    for act in ("", "unmask"):
        if act:
            browser.post(search, act=act)
        text = browser.get(search).text
        check(text)
        assert text.count("<b>not visible</b> &lt;i&gt;hair") == 1
    x, y = eyes_of(hub.gallery()[1]).place((0, 0))
    assert f'cx="{x:.4f}" cy="{y:.4f}"' in text


def test_a_place_is_found_once() -> None:
    asked, places = list[int](), Places(most=2)

    def find(at: int) -> Placed | None:
        asked.append(at)
        return None

    for at in (1, 1, 2, 3, 1):
        places.of(at, lambda at=at: find(at))  # type: ignore[misc]
    assert asked == [1, 2, 3, 1], "one that nobody asked for lately is given up"
