"""axe-core on every page of the service, in both themes and languages, in a real Chromium.

    python -m benchmarks.pages.axe DEMO [--pictures DIR] [--axe axe.min.js]

DEMO is a folder that `tgfr-search demo` wrote. axe-core comes from the npm registry; nothing of it is kept here.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import tarfile
import tempfile
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.pages.chromium import Page, browsing
from benchmarks.pages.service import PASSWORD, add_accounts, client_of, served
from benchmarks.results import write_result
from indexer import QuarantineRecord
from tgfr_search.app.service.hub import Hub
from tgfr_search.app.service.pages.reports import FOLDER
from tgfr_search.model.checkpoint import DEFAULT_MODEL, load_model
from tgfr_search.model.loaded import FaceTextModel

VERSION = "4.10.3"
SHA256 = "880970c081707360e64f34cea25ff91892f5bc95675b0776925b9709dd8a68bb"  # of axe.min.js
SOURCE = f"https://registry.npmjs.org/axe-core/-/axe-core-{VERSION}.tgz"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WORDS = ("an old man with a beard, perhaps with glasses", "he wore no hat")
LOOKS = (("light", "en"), ("dark", "de"))
"""Each theme and each language of a page: colours do not depend on the language."""
Visit = Callable[[str, str], None]  # (name of the page, address below the service; empty: the page that is open)


def axe_source(path: Path | None = None) -> str:
    """The script of axe-core, from a file or from the registry.

    Raises:
        OSError: It cannot be had.
        ValueError: It is not the script of this version.
    """
    script = path.read_bytes() if path is not None else _fetched()
    if (found := hashlib.sha256(script).hexdigest()) != SHA256:
        raise ValueError(f"{path or SOURCE}: SHA-256 {found}, expected {SHA256} (axe.min.js of axe-core {VERSION})")
    return script.decode()


def _fetched() -> bytes:
    with urllib.request.urlopen(SOURCE, timeout=60) as answer:
        packed = io.BytesIO(answer.read())
    with tarfile.open(fileobj=packed, mode="r:gz") as archive:
        file = archive.extractfile("package/axe.min.js")
        assert file is not None
        return file.read()


def violations(page: Page, axe: str) -> list[dict[str, Any]]:
    """What axe-core finds on the page that is open."""
    page.value(f"{axe}; true")
    asked = json.dumps({"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]})
    found = page.value(f"axe.run(document, {asked}).then((told) => JSON.stringify(told.violations))")
    return [
        {"rule": each["id"], "impact": each["impact"], "where": [node["target"] for node in each["nodes"][:3]]}
        for each in json.loads(found)
    ]


def sign_in(page: Page, base: str, name: str) -> None:
    """As a person does, by the form."""
    page.call("Network.clearBrowserCookies")
    page.go(f"{base}/login")
    page.value(f"document.querySelector('[name=name]').value = {json.dumps(name)}")
    page.value(f"document.querySelector('[name=password]').value = {json.dumps(PASSWORD)}")
    page.value("document.querySelector('main form').requestSubmit(); true")
    page.loaded()


def walk(page: Page, base: str, hub: Hub, photos: list[Path], visit: Visit) -> None:
    """Every page of every role, along one case from its search to its report."""
    visit("setup", "/setup")
    add_accounts(hub)
    page.call("Network.clearBrowserCookies")
    visit("login", "/login")
    examiner, other, reviewer = (client_of(hub, base, name) for name in ("examiner-1", "examiner-2", "reviewer-1"))
    case = examiner.new_case(purpose="A fraud", basis="§ 98c StPO")
    names = [examiner.add_evidence(case, photo) for photo in photos]
    sign_in(page, base, "examiner-1")
    for name, address in (("cases", "/cases"), ("case", f"/cases/{case}")):
        visit(name, address)
    visit("search", f"/cases/{case}/search?" + "&".join(f"evidence={name}" for name in names))
    visit("search-words", f"/cases/{case}/search")
    pictures = [{"evidence": name} for name in names]
    search = examiner.search_case(case, pictures=pictures, lines=WORDS, origin="witness", top_k=3)  # type: ignore[arg-type]
    where = f"/cases/{case}/searches/{search}"
    visit("begin", where)
    for who in (examiner, other):
        own = who is examiner
        who.act(case, search, "begin")
        if own:
            visit("analysis", where)
        who.act(case, search, "analyse", text="A face from the front, sharp.", suitable=True)
        for number in (1, 2, 3):
            if own and number == 2:
                visit("compare", where)
                mark(page, "nose", "similar", "broad bridge")
                for _ in range(50):  # it is kept beside the page: whoever loads that again at once may be faster
                    page.go(base + where)
                    if kept := page.value("document.querySelector('.marks .how-many').textContent") == "1":
                        break
                if not kept:
                    raise RuntimeError(f"{where}: a mark that is not locked is lost when the page is loaded again")
                lock(page, 3)
                if "broad bridge" not in page.value("document.body.textContent"):
                    raise RuntimeError(f"{where}: the mark was not kept")
                visit("compare-marked", where)
                continue
            who.act(case, search, "decide", label=f"C{number:02d}", decision="inconclusive")
        if own:
            visit("masked", where)
        who.act(case, search, "unmask")
        if own:
            visit("unmasked", where)
        who.act(case, search, "conclude", conclusion="no candidate")
        if own:
            visit("waiting", where)
    sign_in(page, base, "reviewer-1")
    visit("agreed", where)
    reviewer.act(case, search, "release")
    visit("report", where)
    _walk_reports(page, hub, case, visit)
    visit("problem", "/cases/2000-0001")
    _walk_gallery(page, base, hub, photos, visit)
    for account, name in (("auditor-1", "log"), ("admin-1", "accounts")):
        sign_in(page, base, account)
        visit(name, f"/{name}")


def mark(page: Page, feature: str, found: str, note: str, *, height: float = 0.56) -> None:
    """Marks a feature, with its place in the probe by keys and in the candidate by the mouse, on the page of one.

    Args:
        page: A blind comparison.
        feature: Of the list.
        found: How it compares.
        note: What is seen.
        height: Where it is in the middle of both faces, in parts of their pictures.
    """
    page.press("m")
    for name, value in (("feature", feature), ("found", found), ("note", note)):
        page.value(f"document.querySelector('.marks .{name}').value = {json.dumps(value)}; true")
    page.click(".marks [data-add]")
    for key in (*["ArrowDown"] * round(100 * (height - 0.5)), "Enter"):
        page.press(key)
    page.click(".pane.candidate .stage", 0.5, height)


def lock(page: Page, key: int) -> None:
    """Decides on the candidate that is compared, by keys."""
    page.heard.clear()
    page.press(str(key))
    page.press("Enter")
    page.loaded()


def _walk_reports(page: Page, hub: Hub, case: str, visit: Visit) -> None:
    page.call("Page.setBypassCSP", enabled=True)  # a report may run no script, so no axe-core either
    visit("report-released", f"/cases/{case}/report")
    page.call("Page.setBypassCSP", enabled=False)
    visit("reports-none", "/reports")
    (hub.settings.data / FOLDER).mkdir()
    (hub.settings.data / FOLDER / "validation.html").write_text("<!doctype html><title>Validation</title>")
    visit("reports", "/reports")


def _walk_gallery(page: Page, base: str, hub: Hub, photos: list[Path], visit: Visit) -> None:
    enroller = client_of(hub, base, "enroller-1")
    buffer = io.BytesIO()
    Image.new("RGB", (320, 240), "#8899aa").save(buffer, "PNG")
    job = enroller.wait(enroller.enrol("people", [*photos, buffer.getvalue()], subject="somebody new")["id"])["id"]
    sign_in(page, base, "enroller-1")
    for name, address in (
        ("galleries", "/gallery"),
        ("gallery", "/gallery/people"),
        ("labels", "/gallery/people/labels"),
        ("enrolment", f"/enrolment/{job}"),
    ):
        visit(name, address)
    visit("mend", f"/enrolment/{job}/photos/{len(photos) + 1}")
    with hub.store(hub.gallery("people")[1]).writer() as writer:  # as `index` leaves one
        writer.quarantine([QuarantineRecord("somebody/wall.png", "no_face", "0 faces found", "")])
        writer.commit()
    visit("quarantined", "/gallery/people/quarantine?image=somebody/wall.png")


def check_pages(
    demo: Path,
    model: FaceTextModel,
    axe: str,
    *,
    pictures: Path | None = None,
    looks: Sequence[tuple[str, str]] = LOOKS,
) -> dict[str, list[dict[str, Any]]]:
    """Page, theme and language → what axe-core finds there."""
    found = dict[str, list[dict[str, Any]]]()
    with (demo / "probes.csv").open(encoding="utf-8", newline="") as file:
        photos = [demo / row["image"] for row in csv.DictReader(file) if row["quality"] == "clean"][:2]
    with tempfile.TemporaryDirectory() as name, served(demo, model, Path(name)) as (base, hub), browsing() as page:

        def visit(told: str, address: str) -> None:
            for theme, language in looks:
                host = base.removeprefix("http://").rpartition(":")[0]
                for key, value in (("theme", theme), ("language", language)):
                    page.call("Network.setCookie", name=key, value=value, domain=host, path="/")
                page.go(base + address)
                found[f"{told} {theme} {language}"] = violations(page, axe)
                if pictures is not None:
                    page.picture(pictures / f"{told}-{theme}-{language}.webp", quality=60, whole=False)

        walk(page, base, hub, photos, visit)
    return found


def main() -> None:
    """Writes benchmarks/results/axe.json; exit code 1 where something was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demo", type=Path)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="The pages are the same with each; some are faster.")
    parser.add_argument("--axe", type=Path, default=None, help="axe.min.js; None fetches it.")
    parser.add_argument("--pictures", type=Path, default=None, help="Folder for a picture of each page.")
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    model = load_model(options.model, device="cpu")
    found = check_pages(options.demo, model, axe_source(options.axe), pictures=options.pictures)
    bad = {name: own for name, own in found.items() if own}
    values = {"axe": VERSION, "rules": RULES, "pages": len(found), "violations": bad, "visited": sorted(found)}
    print(json.dumps(values, indent=1))
    write_result("axe", values, options.out)
    raise SystemExit(1 if bad else 0)


if __name__ == "__main__":
    main()
