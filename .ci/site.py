"""Adds the cards of the models that come with the package to the site of mkdocs.yml: they lie beside the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

CARDS = sorted((Path(__file__).resolve().parents[1] / "tgfr_search" / "weights").glob("*/CARD.md"))
INDEX = "models/index.md"


def on_config(config: Any) -> Any:
    """The cards in the navigation, before the last section."""
    pages = [{card.parent.name: f"models/{card.parent.name}.md"} for card in CARDS]
    config["nav"].insert(len(config["nav"]) - 1, {"Model cards": [INDEX, *pages]})
    return config


def on_files(files: Files, config: Any) -> Files:
    """A page a card, and one that lists them."""
    for card in CARDS:
        text = card.read_text(encoding="utf-8")
        files.append(File.generated(config, f"models/{card.parent.name}.md", content=text))
    listed = "".join(f"- [{card.parent.name}]({card.parent.name}.md)\n" for card in CARDS)
    told = "What each model was trained on, its numbers and limits; `tgfr-search model info` prints the same.\n"
    files.append(File.generated(config, INDEX, content=f"# Model cards\n\n{told}\n{listed}"))
    return files
