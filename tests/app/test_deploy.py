"""The files that run the service elsewhere: what they call is there, and they promise no more than they do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer
import yaml

from tgfr_search.app.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
DOCKER, UNIT = ROOT / "deploy" / "Dockerfile", ROOT / "deploy" / "tgfr-search.service"


@pytest.mark.parametrize("file", [DOCKER, UNIT])
def test_serve_has_every_option_that_is_given(file: Path) -> None:
    text = file.read_text().replace("\\\n", " ")
    (line,) = re.findall(r"^(?:CMD|ExecStart=).*serve.*$", text, re.MULTILINE)
    serve = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]
    known = {option for parameter in serve.params for option in parameter.opts}
    given = set(re.findall(r"--[a-z][a-z-]+", line))
    assert given >= {"--bind", "--tls-cert", "--tls-key"}
    assert given <= known


def test_the_container_is_nobody_and_writes_to_its_volume_alone() -> None:
    text = DOCKER.read_text()
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    pinned = re.search(r"^TORCH := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert pinned is not None
    assert f"'{pinned[1]}+cpu'" in text
    (service,) = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"].values()
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
