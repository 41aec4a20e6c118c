"""What a training run of the attribute head is told."""

from __future__ import annotations

from dataclasses import dataclass

from tgfr_search.options import DataOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeOptions:
    """A training run of the attribute head.

    Attributes:
        name: Of the model.
        seed: Of everything that is drawn.
        device: `auto`, `cpu`, `cuda`.
        face_encoder: Registry name of the frozen face encoder.
        regions: Which regional map it gives.
        epochs: Passes over the training images.
        batch: Faces a batch.
        lr: Of AdamW, with a cosine schedule.
        weight_decay: Of AdamW.
        channels: Of the map after the head's first layer.
        hidden: Width of the head.
        dropout: In the head.
        precision: An attribute is stated where at least this share of such statements is right on valid.
        unspoken: Attributes that are predicted but never stated.
        data: Images with the attributes as boolean columns.
    """

    name: str
    seed: int = 0
    device: str = "auto"
    face_encoder: str = "dlib-resnet"
    regions: str = "256x4x4"
    epochs: int = 12
    batch: int = 256
    lr: float = 2e-3
    weight_decay: float = 0.02
    channels: int = 32
    hidden: int = 256
    dropout: float = 0.3
    precision: float = 0.8
    # An opinion, and a fault of the photo, are no description of a person.
    unspoken: tuple[str, ...] = ("attractive", "blurry")
    data: DataOptions
