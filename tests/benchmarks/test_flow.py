"""The whole flow in a real Chromium: by the mouse, by the keyboard alone, and with scripts off."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.pages.chromium import browsing, chromium
from benchmarks.pages.flow import WAYS, Hands, carry_out
from benchmarks.pages.service import add_accounts, served
from pipelines.casework.case.case import Case
from pipelines.tools.demo import write_demo
from tests.models import FAST_MODEL
from tgfr_search.app.service.hub import Hub
from tgfr_search.audit.verify import check_log
from tgfr_search.model.checkpoint import load_model

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine"),
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flow") / "demo"
    write_demo(folder, people=4, views=2, seed=5)
    return folder


@pytest.fixture(scope="module")
def service(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Hub]]:
    with served(demo, load_model(FAST_MODEL, device="cpu"), tmp_path_factory.mktemp("service")) as (base, hub):
        add_accounts(hub)
        hub.accounts.add("examiner-2", "examiner", "correct horse battery staple")
        yield base, hub


@pytest.mark.parametrize("way", WAYS)
def test_from_signing_in_to_the_released_report(service: tuple[str, Hub], demo: Path, way: str) -> None:
    base, hub = service
    with (demo / "probes.csv").open(encoding="utf-8", newline="") as file:
        probe = demo / next(row["image"] for row in csv.DictReader(file) if row["quality"] == "clean")
    looked = list[str]()

    def blind(told: str) -> None:
        case = Case.open(hub.cases.folder / hub.cases.names()[0])
        hits = case.read_search("S0001")["result"]["candidates"]
        secrets = {hit[name] for hit in hits for name in ("subject_id", "image")} | {f"{h['score']:.4f}" for h in hits}
        assert len(hits) == 2
        assert [each for each in secrets if each in told] == []
        looked.append(told)

    with browsing() as page:
        hands = Hands(page, base, way)
        address = carry_out(hands, probe, "a man with a beard", 2, blind)
        assert len(looked) == 6, "two people at two candidates and before they are told who these are"
        assert any("/candidates/C01" in each for each in looked), "what the browser asked for was looked at"
        said = page.value("document.querySelector('main').innerText")
    assert "person000" in said
    assert "never an identification" in said
    case = Case.open(hub.cases.folder / address.split("/")[-3])
    assert [each["actor"] for each in case.entries() if each.get("details", {}).get("step") == "release"] == [
        "reviewer-1"
    ]
    assert check_log(case.folder / "audit").problems == []
