"""Random, small networks of every published text family: to rehearse a run before the real weights are there.

A text tower keeps its class, the names of its tensors and its tokenizer's manners, and loses its width and depth. It is
saved by `save_pretrained` and read back by the code that reads the published one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors

WORDS = ("a", "man", "with", "hat", "she", "smiles")
SPECIAL = {
    "bert": ("[PAD]", "[UNK]", "[CLS]", "[SEP]"),
    "roberta": ("<s>", "<pad>", "</s>", "<unk>"),
    "clip": ("<|startoftext|>", "<|endoftext|>"),
}
"""Kind of tokenizer → its special tokens, in the order of their numbers."""
ROLES = {"bert": (2, 3, 0, 1), "roberta": (0, 2, 1, 3), "clip": (0, 1, 1, 1)}
"""Kind of tokenizer → numbers of the first, last, padding and unknown token."""
POSITIONS = 40
WIDTH = 32
TEXT = {
    "vocab_size": 12,
    "hidden_size": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": POSITIONS,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
# Another width than the text's, so that a tower cannot be taken for the other.
VISION = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "intermediate_size": 24,
    "image_size": 32,
    "patch_size": 16,
}


def _bert(text: dict[str, Any]) -> Any:
    from transformers import BertConfig, BertModel

    return BertModel(BertConfig(**text))


def _roberta(text: dict[str, Any]) -> Any:
    from transformers import RobertaConfig, RobertaModel

    return RobertaModel(RobertaConfig(**text, pad_token_id=1))


def _clip(text: dict[str, Any]) -> Any:
    from transformers import CLIPConfig, CLIPModel

    return CLIPModel(CLIPConfig(text_config=text, vision_config=VISION))


def _align(text: dict[str, Any]) -> Any:
    from transformers import AlignConfig, AlignModel

    vision = {"image_size": 32, "width_coefficient": 0.1, "depth_coefficient": 0.1, "hidden_dim": 64}
    return AlignModel(AlignConfig(text_config=text, vision_config=vision))


def _blip(text: dict[str, Any]) -> Any:
    from transformers import BlipConfig, BlipModel

    return BlipModel(BlipConfig(text_config={**text, "encoder_hidden_size": 16}, vision_config=VISION))


def _blip_retrieval(text: dict[str, Any]) -> Any:
    from transformers import BlipConfig, BlipForImageTextRetrieval

    config = BlipConfig(text_config={**text, "encoder_hidden_size": 16}, vision_config=VISION)
    return BlipForImageTextRetrieval(config)


def _flava(text: dict[str, Any]) -> Any:
    from transformers import FlavaConfig, FlavaModel

    multimodal = {key: VISION[key] for key in VISION if key not in ("image_size", "patch_size")}
    return FlavaModel(FlavaConfig(text_config=text, image_config=VISION, multimodal_config=multimodal))


def _groupvit(text: dict[str, Any]) -> Any:
    from transformers import GroupViTConfig, GroupViTModel

    vision = {**VISION, "depths": [1, 1, 1], "num_group_tokens": [4, 2, 0], "num_output_groups": [4, 2, 0]}
    return GroupViTModel(GroupViTConfig(text_config=text, vision_config=vision))


FAMILIES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "bert": (_bert, "bert"),
    "roberta": (_roberta, "roberta"),
    "align": (_align, "bert"),
    "clip": (_clip, "clip"),
    "blip": (_blip, "bert"),
    "blip-retrieval": (_blip_retrieval, "bert"),
    "flava": (_flava, "bert"),
    "groupvit": (_groupvit, "clip"),
}
"""Family → (builder of the whole model, kind of its tokenizer)."""


def save_text_model(folder: Path, family: str, **sizes: int) -> None:
    """Writes a model of a family as its publisher does: the whole model by `save_pretrained`, and its tokenizer.

    Args:
        folder: Where to.
        family: A name of `FAMILIES`.
        sizes: Values of the text tower's config that replace those of `TEXT` (a benchmark asks for the real width).
    """
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    build, kind = FAMILIES[family]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        build({**TEXT, **sizes}).save_pretrained(folder)
    save_tokenizer(folder, kind)


def save_tokenizer(folder: Path, kind: str) -> None:
    """Writes a tokenizer of a few words with the special tokens of its kind."""
    from transformers import PreTrainedTokenizerFast

    vocabulary = [*SPECIAL[kind], *WORDS]
    first, last, padding, unknown = (vocabulary[i] for i in ROLES[kind])
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(vocabulary)}, unk_token=unknown))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        f"{first} $A {last}", special_tokens=[(word, vocabulary.index(word)) for word in (first, last)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=padding,
        unk_token=unknown,
        cls_token=first,
        sep_token=last,
        bos_token=first,
        eos_token=last,
    ).save_pretrained(folder)
