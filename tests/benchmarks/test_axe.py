"""axe-core finds nothing on any page, where there are a Chromium and axe-core."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from benchmarks.pages.axe import LOOKS, VERSION, axe_source, check_pages, violations
from benchmarks.pages.chromium import browsing, chromium
from pipelines.tools.demo import write_demo
from tests.models import FAST_MODEL
from tgfr_search.model.checkpoint import load_model


@pytest.fixture
def axe() -> str:
    """axe-core, kept among passing files once it was fetched."""
    kept = Path(tempfile.gettempdir()) / f"axe-core-{VERSION}.min.js"
    try:
        text = axe_source(kept if kept.is_file() else None)
    except OSError as error:
        pytest.skip(f"axe-core cannot be had from the npm registry: {error}")
    kept.write_text(text, encoding="utf-8")
    return text


@pytest.mark.slow
@pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine")
def test_no_page_has_a_barrier(axe: str, tmp_path: Path) -> None:
    model = load_model(FAST_MODEL, device="cpu")
    write_demo(tmp_path / "demo", people=4, views=2, seed=5)
    found = check_pages(tmp_path / "demo", model, axe, looks=LOOKS[1:])
    assert {name: own for name, own in found.items() if own} == {}
    assert len(found) > 20


@pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine")
def test_a_barrier_is_found(axe: str) -> None:
    with browsing() as page:
        page.go("data:text/html,<html lang=en><title>x</title><main><h1>x</h1><img src=x></main>")
        assert [each["rule"] for each in violations(page, axe)] == ["image-alt"]
