"""The card of a trained model: what it is, what it was trained on, what it reached on valid, its licence and limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tgfr_search.data.degrade import LADDER
from tgfr_search.types import LEAD_NOTICE


def card(config: Mapping[str, Any]) -> str:
    """A model card in Markdown, of nothing but what a checkpoint's config.json says.

    Args:
        config: As `pipelines.train.run` wrote it, with its provenance.
    """
    origin, model = config["provenance"], config["model"]
    options = origin["options"]
    data, align, fuse = options["data"], options["align"], options["fuse"]
    lost = {split: sum(reasons.values()) for split, reasons in origin["not_detected"].items()}
    reached = origin["valid_rank1"]
    heads = [level for level in LADDER if all(level in levels for levels in reached.values())]
    rows = [f"| {mode} | {' | '.join(f'{100 * own[level]:.1f}' for level in heads)} |" for mode, own in reached.items()]
    lines = [
        f"# {config['model_id']}",
        "",
        f"> {LEAD_NOTICE}",
        "",
        f"- **Licence of the training data, which binds these weights**: {origin['licence']}",
        f"- **Architecture**: {model['fusion']} fusion over the frozen face encoder `{model['face_encoder']}` and the "
        f"text encoder `{model['text_encoder']}`; everything in `config.json`.",
        f"- **Data**: `{data['path']}` (SHA-256 {origin['data_sha256']}): {origin['train_images']:,} images of "
        f"{origin['train_subjects']:,} people of split `{data['train']}`; {origin['valid_images']:,} images of split "
        f"`{data['valid']}` chose the epoch and the score weights. No face was found in {lost['train']} and "
        f"{lost['valid']} photos.",
        f"- **Training**: {align['epochs']} epochs of step 1, {fuse['epochs']} of step 2{_described(options)}, "
        f"seed {options['seed']}, "
        f"{origin['seconds']} s on {origin['machine']['device']}, torch {origin['machine']['torch']}, tgfr-search "
        f"{origin['package']}.",
        *_joined(origin.get("joined")),
        "- **Limits**: figures on `valid` are those it was tuned on; measure it on people it never saw "
        "(`tgfr-search benchmark`) before you trust it with pictures unlike these.",
        "",
        "Rank-1 on `valid`, per cent, clean gallery, by what is searched with:",
        "",
        f"| search | {' | '.join(heads)} |",
        "|---" * (1 + len(heads)) + "|",
        *rows,
    ]
    return "\n".join(lines) + "\n"


def _described(options: Mapping[str, Any]) -> str:
    """What the readers of step 3 had, where the model has them."""
    if not options["model"].get("description_dim"):
        return ""
    further = ", ".join(f"`{path}`" for path in options["describe"]["further"])
    return f", {options['describe']['epochs']} of step 3" + (f" (with descriptions of {further})" if further else "")


def _joined(joined: Mapping[str, Any] | None) -> list[str]:
    """Which further face encoders a trained model was given, where it was."""
    if joined is None:
        return []
    members = ", ".join(f"`{member}`" for member in joined["members"])
    once = "".join(f", `{name}` without the mirrored face" for name in joined["once"])
    return [
        f"- **Face encoders**: those of {members} side by side in the template{once}, over one wide chip; all else is "
        f"`{joined['base']}`'s. The score weights are fitted anew on {joined['valid_images']:,} images of valid."
    ]
