"""Every encoder this program knows how to use: what is installed, and the command that brings the rest."""

from __future__ import annotations

from dataclasses import dataclass

from tgfr_search.encoders import dlib_resnet, sface
from tgfr_search.encoders.added import SOURCES, added
from tgfr_search.encoders.iresnet import ARCHITECTURES
from tgfr_search.encoders.onnx_face import RECIPES
from tgfr_search.encoders.registry import of_other_packages
from tgfr_search.encoders.text_files import HUB, INSTALLED, PUBLISHED, fetch, find_text_model
from tgfr_search.errors import MissingPartError


@dataclass(frozen=True, slots=True)
class Entry:
    """One known encoder.

    Attributes:
        name: By which options name it, or would.
        kind: `face` or `text`.
        what: Network, output, licence where known.
        installed: Whether it can be used now.
        command: What brings it; empty where it is installed.
        source: Where its official file is published.
    """

    name: str
    kind: str
    what: str
    installed: bool
    command: str = ""
    source: str = ""


def catalogue() -> list[Entry]:
    """Built-in encoders, another package's, added ones, then published networks that were not added."""
    return [*_built_in(), *_brought(), *_added(), *_published()]


def _built_in() -> list[Entry]:
    try:
        dlib_resnet.find_dat()
        there = True
    except MissingPartError:
        there = False
    out = [Entry("dlib-resnet", "face", "dlib ResNet, 128-d, CC0", there, "" if there else dlib_resnet.INSTALL)]
    out.append(Entry(sface.NAME, "face", "SFace 2021dec, MobileNet, 128-d, Apache-2.0", True))
    both = "SFace and a copy of it fine-tuned on poor pictures, 256-d, non-commercial research"
    out.append(Entry(f"{sface.NAME}+adapted", "face", both, True))
    for name, (_, _, install) in INSTALLED.items():
        try:
            find_text_model(name)
            there = True
        except MissingPartError:
            there = False
        out.append(Entry(name, "text", "MiniLM sentence encoder, 384-d, MIT", there, "" if there else install))
    return [*out, Entry("bilstm", "text", "BiLSTM over the training captions' words", True)]


def _brought() -> list[Entry]:
    return [Entry(name, "face", "of another installed package", True) for name in of_other_packages()]


def _added() -> list[Entry]:
    return [Entry(card.name, card.kind, f"{card.arch}; {card.licence}", True, "", card.source) for card in added()]


def _published() -> list[Entry]:
    have = {card.arch for card in added()}
    out = []
    for architecture in ARCHITECTURES.values():
        pixels = architecture.pixels
        what = f"{architecture.family}, {sum(architecture.blocks)} blocks, 512-d, 256×14×14, {pixels.order.upper()}"
        command = f"tgfr-search model add {architecture.name} --from FILE"
        out.append(Entry(architecture.name, "face", what, False, command, SOURCES[architecture.family]))
    for recipe in RECIPES.values():
        what = f"ONNX {recipe.stems[0]}, {recipe.dim}-d, whole face only, {recipe.pixels.order.upper()}"
        command = f"tgfr-search model add {recipe.name} --from {recipe.stems[0]}.onnx"
        out.append(Entry(recipe.name, "face", what, False, command, SOURCES[recipe.name]))
    out = [entry for entry in out if entry.name not in have]
    for family, repository in PUBLISHED.items():
        try:
            fetch(repository, cached=True)
            there = True
        except MissingPartError:
            there = False
        page, command = f"https://huggingface.co/{repository}", "" if there else f"hf download {repository}"
        what = f"{family} text encoder; or the path of any such folder"
        out.append(Entry(f"{HUB}{repository}", "text", what, there, command, page))
    return out
