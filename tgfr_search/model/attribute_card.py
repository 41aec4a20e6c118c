"""The card of an attribute model: what it predicts, how well on valid, what it says, its licence and limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tgfr_search.types import LEAD_NOTICE


def attribute_card(config: Mapping[str, Any]) -> str:
    """A card in Markdown, of nothing but what the model's attributes.json says.

    Args:
        config: As `pipelines.train.attributes.head` wrote it.
    """
    origin = config["provenance"]
    options, valid = origin["options"], origin["valid"]
    first = next(iter(valid))
    spoken = {name: [yes, no] for name, (yes, no) in config["thresholds"].items() if (yes, no) != (None, None)}
    lines = [
        f"# {config['model_id']}",
        "",
        f"> {LEAD_NOTICE}",
        "",
        "Reads attributes from a face, so that a gallery picture that nobody described can be searched by words "
        "(`tgfr-search index --auto-captions`). What it says is marked as machine-made wherever it is shown.",
        "",
        f"- **Licence of the training data, which binds these weights**: {origin['licence']}",
        f"- **Architecture**: a two-layer head over the frozen vector and regional map of `{options['face_encoder']}`; "
        "everything in `attributes.json`.",
        f"- **Data**: `{options['data']['path']}` (SHA-256 {origin['data_sha256']}): {origin['train_images']:,} images "
        f"of split `{options['data']['train']}`, degraded ones too; {origin['valid_images']:,} of split "
        f"`{options['data']['valid']}` set calibration and thresholds.",
        f"- **What it says**: {len(spoken)} of {len(config['attributes'])} attributes, each from the probability on "
        f"at which {100 * options['precision']:.0f} % of such statements are right on `{options['data']['valid']}`. "
        f"Never: {', '.join(sorted(set(config['attributes']) - set(spoken)))}.",
        f"- **Training**: {options['epochs']} epochs, seed {options['seed']}, {origin['seconds']} s on "
        f"{origin['machine']['device']}, tgfr-search {origin['package']}.",
        "- **Limits**: the labels are CelebA's: annotators' impressions of photographs of celebrities, and noisy; "
        "words like `big nose` or `young` are judgements. Figures on `valid` are those it was tuned on. Statements are "
        "wrong about as often as the table says, more often on pictures unlike these, and they can be wrong for whole "
        "groups of people that CelebA shows little of. They help to find a row, they say nothing about who it is.",
        "",
        "| valid | balanced accuracy, mean | calibration error | statements a face | right | of true ones, said |",
        "|---|---|---|---|---|---|",
        *(
            f"| {level} | {_percent(v['mean_balanced_accuracy'])} | {_percent(v['calibration_error'])} "
            f"| {v['stated']:.1f} | {_percent(v['precision'])} | {_percent(v['recall'])} |"
            for level, v in valid.items()
        ),
        "",
        "Per cent, but for statements a face. Balanced accuracy is taken at the share of train faces that have the "
        "attribute.",
        "",
        f"| attribute | share of faces | balanced accuracy ({first}) | said from | denied up to |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {100 * valid[first]['share'][name]:.1f} | {100 * accuracy:.1f} "
            f"| {_threshold(config['thresholds'][name][0])} | {_threshold(config['thresholds'][name][1])} |"
            for name, accuracy in valid[first]["balanced_accuracy"].items()
        ),
    ]
    return "\n".join(lines) + "\n"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _threshold(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
