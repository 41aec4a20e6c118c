"""The pictures of the docs: one case from signing in to the report, in a real Chromium, of people who do not exist.

    python -m benchmarks.pages.pictures DEMO [--out docs/pictures]

DEMO is a folder that `tgfr-search demo` wrote. A page that is not what it should be ends the run.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import tempfile
from pathlib import Path

from PIL import Image

from benchmarks.pages.axe import mark, sign_in
from benchmarks.pages.chromium import Page, browsing
from benchmarks.pages.service import PASSWORD, add_accounts, client_of, served
from pipelines.casework.case.case import Case
from pipelines.casework.review.review import Decision
from pipelines.casework.review.reviews import review_of
from pipelines.tools.demo_case import POPULATION
from tgfr_search.app.service.hub import Hub
from tgfr_search.model.checkpoint import DEFAULT_MODEL, load_model

OUT = Path(__file__).resolve().parents[2] / "docs" / "pictures"
WIDTH, HEIGHT = 1180, 800
MOST_BYTES = 60_000
CANDIDATES = 6
COOKIES = ("theme", "language")


class Album:
    """Takes pictures of a page, none larger than the docs should carry.

    Args:
        page: In the browser.
        base: Address of the service.
        folder: Where they go.
    """

    def __init__(self, page: Page, base: str, folder: Path) -> None:
        self.page, self.base, self.folder = page, base, folder

    def look(self, theme: str) -> None:
        """Has all pages in English, in a theme, from the next one on."""
        for name, value in zip(COOKIES, (theme, "en"), strict=True):
            self.page.call("Network.setCookie", name=name, value=value, domain="127.0.0.1", path="/")

    def open(self, address: str, height: int = HEIGHT) -> None:
        """Opens a page of the service."""
        self.page.size(WIDTH, height)
        self.page.go(self.base + address)

    def take(self, name: str, expected: str) -> None:
        """Keeps what the page looks like.

        Args:
            name: Of the file.
            expected: What the page says.

        Raises:
            RuntimeError: It does not say it.
        """
        said = str(self.page.value("document.querySelector('main').innerText"))
        if expected.lower() not in said.lower():
            raise RuntimeError(f"{name}: no {expected!r} in {said[:500]!r}")
        self.page.value(
            "Promise.all([...document.images].map((each) => each.decode().catch(() => 0))).then(() => true)"
        )
        path = self.folder / f"{name}.webp"
        for quality in range(86, 20, -8):
            self.page.picture(path, quality=quality, whole=False)
            if path.stat().st_size <= MOST_BYTES:
                return


def two_people(demo: Path, rows: list[dict[str, str]]) -> bytes:
    """A photo with the person who is sought, and a smaller other one."""
    first, second = (Image.open(demo / row["image"]).convert("RGB") for row in rows[:2])
    whole = Image.new("RGB", (first.width * 2, first.height), "#6d7278")
    whole.paste(first, (0, 0))
    whole.paste(second.resize((second.width * 3 // 4, second.height * 3 // 4)), (first.width, first.height // 4))
    buffer = io.BytesIO()
    whole.resize((whole.width * 2, whole.height * 2), Image.Resampling.BICUBIC).save(buffer, "PNG")
    return buffer.getvalue()


def tell(album: Album, hub: Hub, demo: Path) -> None:
    """One case, with a picture of each step that the docs show."""
    with (demo / "probes.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["quality"] == "clean"]
    page, base = album.page, album.base
    words = rows[0]["caption"].strip()
    names = ("examiner-1", "examiner-2", "reviewer-1")
    people = [client_of(hub, base, name) for name in names]
    examiner = people[0]
    case = examiner.new_case(purpose="Withdrawals with a stolen card", basis="§ 98c StPO")
    evidence = examiner.add_evidence(case, two_people(demo, rows))
    album.look("light")
    album.open("/login", 460)
    page.value("document.querySelector('[name=name]').value = 'examiner-1'")
    page.value(f"document.querySelector('[name=password]').value = {json.dumps(PASSWORD)}; true")
    album.take("login", "Sign in")
    sign_in(page, base, "examiner-1")
    album.look("light")
    album.open(f"/cases/{case}/search?evidence={evidence}")
    page.value(f"document.querySelector('[name=lines]').value = {json.dumps(words)}; true")
    album.take("search", "Which face is meant?")
    search = examiner.search_case(
        case, pictures=[{"evidence": evidence, "face": 1}], lines=[words], origin="witness", top_k=CANDIDATES,
        population=POPULATION,
    )  # fmt: skip
    where = f"/cases/{case}/searches/{search}"
    for number, who in enumerate(people[:2]):
        who.act(case, search, "begin")
        who.act(case, search, "analyse", text="From the front, evenly lit; ears hidden.", suitable=True)
        for at in range(1, CANDIDATES + 1):
            if number == 0 and at == 3:
                compared(album, where)
            label = f"C{at:02d}"
            who.act(case, search, "decide", label=label, decision=decided(hub, case, search, names[number], label))
        who.act(case, search, "unmask")
        if number == 0:
            album.open(where)
            album.take("unmasked", "no likelihood ratio")
        who.act(case, search, "conclude", conclusion="potential candidates")
    people[2].act(case, search, "release")
    album.open(where)
    album.take("report", "never an identification")


def decided(hub: Hub, case: str, search: str, account: str, label: str) -> Decision:
    """What somebody who sees well decides; who is who is read where the service keeps it."""
    opened = Case.open(hub.cases.folder / case)
    review = review_of(opened, search)
    assert review is not None
    ranked = [hit["row_id"] for hit in opened.read_search(search)["result"]["candidates"]]
    rank = ranked.index(review.row_to_show(account, label)) + 1
    return Decision.SAME if rank == 1 else Decision.DIFFERENT if rank < 4 else Decision.EXCLUDED


def compared(album: Album, where: str) -> None:
    """The blind comparison: side by side, and over the photo as it was received, in the dark theme."""
    album.open(where)
    album.page.press("2")
    album.take("compare", "Compare blind: C03")
    album.look("dark")
    album.open(where)
    album.page.press("o")
    for _ in range(3):
        album.page.press("u")
    album.take("received", "as received")
    album.page.press("0")
    mark(album.page, "nose", "different", "broader bridge, tip more round")
    mark(album.page, "chin or jawline", "different", "less pointed", height=0.86)
    album.page.value("scrollTo(0, 90)")
    album.take("marks", "broader bridge")
    album.look("light")


def main() -> None:
    """Writes the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demo", type=Path)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    model = load_model(options.model, device="cpu")
    with (
        tempfile.TemporaryDirectory() as name,
        served(options.demo, model, Path(name)) as (base, hub),
        browsing() as page,
    ):
        add_accounts(hub)
        tell(Album(page, base, options.out), hub, options.demo)
    for path in sorted(options.out.glob("*.webp")):
        print(f"{path.stat().st_size:7,d}  {path}")


if __name__ == "__main__":
    main()
