"""Every block of a template and every term of a score, once: what they are called, drawn like and made of.

A row of a gallery keeps its blocks side by side. A term compares one block of the probe with one block of the row; the
score is the weighted sum of terms. A new block is one entry here and the module that makes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Source = Literal["face", "words", "both"]


@dataclass(frozen=True, slots=True)
class Block:
    """One unit vector of a template.

    Attributes:
        name: In the index, in files and in JSON.
        title: For a reader.
        colour: Where its share of a score is drawn, as CSS has it.
        source: What it is made of: a face, words, or both together.
        step: Of training that makes it; 0 is the face encoder alone, whose vectors are not centred.
    """

    name: str
    title: str
    colour: str
    source: Source
    step: int


@dataclass(frozen=True, slots=True)
class Term:
    """One part of a score: the cosine of a block of the probe with a block of a row.

    Attributes:
        name: In checkpoints and in JSON.
        title: For a reader.
        probe: The probe's block.
        gallery: The row's block.
    """

    name: str
    title: str
    probe: Block
    gallery: Block


BLOCKS: dict[str, Block] = {
    block.name: block
    for block in (
        Block("face", "the face, frozen encoder", "#2563eb", "face", 0),
        Block("adapted", "the face, adapted encoder", "#0d9488", "face", 0),
        Block("face_dlib", "the face, dlib's encoder", "#60a5fa", "face", 0),
        Block("adapted_dlib", "the face, dlib's encoder adapted", "#5eead4", "face", 0),
        Block("attributes", "the attributes that the face shows", "#a16207", "face", 0),
        Block("shared_face", "the face in the space shared with words", "#0891b2", "face", 1),
        Block("caption", "the description in the space shared with faces", "#d97706", "words", 1),
        Block("description", "the whole description, as its own reader has it", "#dc2626", "words", 3),
        Block("looks", "what the face looks like, in the space of whole descriptions", "#4d7c0f", "face", 3),
        Block("fused", "face and description, fused", "#9333ea", "both", 2),
    )
}
"""Name → block, in the order in which they are drawn; the order in an index is the model's (`TGFR.layout`)."""

STATEMENTS = Block(
    "statements", "what the description states, against what the enrolled face shows", "#475569", "words", 0
)
"""No block of a row, but drawn like one: the share of `model.statements` in a score."""


def _term(name: str, title: str, probe: str = "", gallery: str = "") -> Term:
    return Term(name, title, BLOCKS[probe or name], BLOCKS[gallery or name])


TERMS: dict[str, Term] = {
    term.name: term
    for term in (
        _term("face", "face (frozen encoder)"),
        _term("adapted", "face (adapted encoder)"),
        _term("face_dlib", "face (dlib's encoder)"),
        _term("adapted_dlib", "face (dlib's encoder, adapted)"),
        _term("shared_face", "face in the space shared with words"),
        _term("caption", "description against the enrolled caption"),
        _term("description", "description against all enrolled lines"),
        _term("fused", "face and description, fused"),
        # Both modalities live in one space, so a description also searches pictures that nobody described, and back.
        _term(
            "caption_to_face",
            "description against the enrolled face, in the space shared with words",
            "caption",
            "shared_face",
        ),
        _term("face_to_caption", "face against the enrolled caption", "shared_face", "caption"),
        # The same of whole descriptions, in the space of their reader.
        _term("description_to_face", "description against what the enrolled face looks like", "description", "looks"),
    )
}
"""Name → term."""

MODE_TERMS: dict[str, tuple[str, ...]] = {
    "image": tuple(name for name, term in TERMS.items() if term.probe.source == "face"),
    "caption": tuple(name for name, term in TERMS.items() if term.probe.source == "words"),
    "fused": tuple(TERMS),
}
"""What a search is made with → the terms that its probe has."""


def terms_of_step(step: int) -> tuple[str, ...]:
    """The terms of which both blocks are made in one step of training."""
    return tuple(name for name, term in TERMS.items() if term.probe.step == term.gallery.step == step)
