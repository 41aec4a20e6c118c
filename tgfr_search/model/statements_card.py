"""The card of a model's directions: what they are, from what they were made, how well they tell attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tgfr_search.encoders.attribute_reader import BLOCK
from tgfr_search.model.statements import Directions
from tgfr_search.types import LEAD_NOTICE


def _read_from(own: Directions) -> str:
    """Of which blocks the directions are, and how they were fitted."""
    if own.blocks == (BLOCK,):
        return f"a row's block `{BLOCK}`: the outputs of the reader of attributes, as they stand"
    return (
        f"the blocks {', '.join(own.blocks)} of a row: a ridge regression (alpha {own.origin['alpha']}) of people's "
        f"labels on {own.origin['train_images']} images of {own.origin['train_subjects']} people of the train split, "
        "one in three degraded"
    )


def statements_card(own: Directions, figures: Mapping[str, Mapping[str, Any]]) -> str:
    """A card in Markdown.

    Args:
        own: The directions.
        figures: Level → `auc`, `share`, `brier_gain`, each by attribute, on valid.
    """
    origin, levels = own.origin, list(figures)
    first, last = figures[levels[0]], figures[levels[-1]]
    strengths = ", ".join(f"{mode} {value:g}" for mode, value in own.strength.items()) or "none"
    little = ", ".join(f"{mode} {value:g}" for mode, value in own.familiar.items()) or "none"
    lines = [
        f"# Statements of {origin['model_id']}",
        "",
        f"> {LEAD_NOTICE}",
        "",
        f"{len(own.attributes)} attributes as directions of {_read_from(own)}. They move a search by "
        f"words (weight beside the text encoder: {strengths}) where a description is put in other words than the text "
        f"encoder was taught, a little where it is not ({little}), and tell what a face shows.",
        "",
        f"- **Licence of the training data, which binds these weights**: {origin['licence']}",
        f"- **Data** (SHA-256 {origin['data_sha256']}): {origin['valid_images']} images of people of "
        "whom none was trained on, at every level, calibrated the probabilities; the phrasing that the text encoder "
        f"was taught is that of {origin['train_images']} images of the train split. Seed {origin['seed']}, "
        f"tgfr-search {origin['package']}.",
        "- **Limits**: the labels are annotators' impressions of photographs of celebrities, and noisy; hair, hats, "
        "ears and ties lie outside the aligned face. The table is of the people that the calibration was fitted on.",
        "",
        f"AUC on valid, and the share of the Brier score of always saying the share that the probability takes away "
        f"({levels[0].replace('_', ' ')} · {levels[-1].replace('_', ' ')}):",
        "",
        f"| attribute | share of faces | AUC {levels[0]} | AUC {levels[-1]} | Brier gain {levels[0]} | {levels[-1]} |",
        "|---|---|---|---|---|---|",
    ]
    for name in own.attributes:
        cells = [first["auc"][name], last["auc"][name], first["brier_gain"][name], last["brier_gain"][name]]
        told = " | ".join("–" if value is None else f"{value:.2f}" for value in cells)
        lines.append(f"| {name} | {100 * first['share'][name]:.1f} % | {told} |")
    return "\n".join(lines) + "\n"
