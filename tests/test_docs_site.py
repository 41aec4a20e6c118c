"""The pages of docs/ are a site that builds without a warning and loads nothing from outside."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_every_page_is_in_the_navigation() -> None:
    told = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")}
    assert pages == set(re.findall(r"[\w-]+\.md", told))


@pytest.mark.slow
@pytest.mark.skipif(find_spec("mkdocs") is None, reason="the extra `docs` is not installed: make install")
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    cards = {path.parent.name for path in (ROOT / "tgfr_search/weights").glob("*/CARD.md")}
    assert cards <= {path.stem for path in (tmp_path / "models").glob("*.html")}
    loaded = r'<(?:script|link|img)[^>]+(?:src|href)="(?:https?:)?//'
    assert not [path.name for path in tmp_path.rglob("*.html") if re.search(loaded, path.read_text(encoding="utf-8"))]
