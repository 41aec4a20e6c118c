"""Training options, as frozen dataclasses; `tgfr_search.strict` reads them from TOML."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DataOptions:
    """Where training data are and which views of a face are cached.

    Attributes:
        path: Data set Parquet, or any other form `index` takes; relative to the working directory.
        train: Split trained on.
        valid: Split everything is tuned on.
        views: Cached views of every training face: `original`, a level of the quality ladder, `random0`, `random1` …
        licence: What whoever the data are from allows; it binds the weights and goes into the model's card.
        cache: Folder of the feature cache.
        detector: What finds the faces, here and in whatever the model is given; empty is the usual one.
        same_person: File of what was decided about the labels of `valid` (docs/protocol.md, 12); empty takes them as
            they are.
    """

    path: str
    train: str = "train"
    valid: str = "valid"
    views: tuple[str, ...] = ("original", "bad", "very_bad", "random0", "random1", "random2")
    licence: str = "not told: ask whoever the data are from"
    cache: str = "runs/features"
    detector: str = ""
    same_person: str = ""


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """The architecture.

    Attributes:
        face_encoder: Registry name of the frozen face encoder.
        regions: Which regional map it gives.
        reads: Blocks of its vector that the trained part reads, where it gives more of them; empty is all.
        unit_parts: Bring each of those blocks to one length before the face head: SFace's vectors are ten times as long
            as dlib's, and side by side with them dlib's would hardly be seen.
        flip: Average its output over the mirrored face.
        text_encoder: Registry name or folder of the text encoder.
        text_refinement: A trainable transformer layer on the frozen text encoder's output (CGFR).
        face_hidden: Width of the face head's residual adapter; 0 is the paper's linear head.
        fusion: `fcfm` (paper §3.5), `flf` (one linear layer, the baselines of §4.1) or `cgfr`.
        fused_dim: E of the fused block.
        heads: Attention heads of the FCFM.
        dropout: In the face adapter and the FCFM.
        description_dim: Of the block that reads all lines of an image as one set, and of the one that reads a face as
            it would be described; 0 leaves both out, as the paper does.
    """

    face_encoder: str = "dlib-resnet"
    regions: str = "256x4x4"
    reads: tuple[str, ...] = ()
    unit_parts: bool = False
    flip: bool = True
    text_encoder: str = "all-MiniLM-L6-v2"
    text_refinement: bool = False
    face_hidden: int = 0
    fusion: str = "fcfm"
    fused_dim: int = 256
    heads: int = 4
    dropout: float = 0.1
    description_dim: int = 0


@dataclass(frozen=True, slots=True)
class LossOptions:
    """Weights and temperatures of Eq. 1–8; a weight of 0 leaves the loss out.

    Attributes:
        wrcl: Weight of L_WRCL (1 in Eq. 8).
        identity: λ1.
        cicl: λ2.
        imcl: λ3.
        cmpc: Weight of the cross-modal projection classification loss (CGFR).
        damsm: Weight of the attentional similarity loss, words and sentence (CGFR).
        face_scale: ArcFace s for faces.
        caption_scale: ArcFace s for captions.
        margin: ArcFace m for faces, radians.
        caption_margin: ArcFace m for captions, radians.
        tau: Start of the learnable τ of Eq. 1–2.
        tau1: τ1 of Eq. 4.
        tau2: τ2 of Eq. 5.
        tau3: τ3 of Eq. 6.
    """

    wrcl: float = 1.0
    identity: float = 100.0
    cicl: float = 2.0
    imcl: float = 1.0
    cmpc: float = 0.0
    damsm: float = 0.0
    face_scale: float = 30.0
    caption_scale: float = 35.0
    margin: float = 0.5
    caption_margin: float = 0.5
    tau: float = 0.1
    tau1: float = 0.25
    tau2: float = 0.2
    tau3: float = 0.1


@dataclass(frozen=True, slots=True)
class AdaptOptions:
    """Step 0: a copy of the frozen face encoder, fine-tuned on degraded faces (not in the paper).

    Attributes:
        epochs: Passes over the training images; 0 leaves the step out.
        batch: Subjects a batch; each gives two pictures.
        lr: Adam learning rate of the net.
        class_lr: Of the classifier's weights.
        warmup: Fraction of the steps over which the learning rates rise linearly.
        clip: Gradient norm limit.
        scale: ArcFace s.
        margin: ArcFace m, radians.
        distil: Weight of 1 − cos(degraded picture, the frozen encoder's vector of the clean one).
        contrastive: Weight of an InfoNCE between two pictures of a subject.
        tau: Its temperature.
        average: Decay of the running average of the weights, which is what is kept.
        clean: Share of pictures that are not degraded.
    """

    epochs: int = 0
    batch: int = 64
    lr: float = 2e-4
    class_lr: float = 1e-3
    warmup: float = 0.05
    clip: float = 5.0
    scale: float = 32.0
    margin: float = 0.3
    distil: float = 10.0
    contrastive: float = 1.0
    tau: float = 0.07
    average: float = 0.998
    clean: float = 0.3


@dataclass(frozen=True, slots=True)
class PhotoAdaptOptions:
    """Step 0 on whole photos: a copy of SFace, fine-tuned on poor pictures (`pipelines.train.step0.photos`).

    Attributes:
        steps: How many batches.
        batch: Subjects a batch; each gives two pictures.
        lr: Peak of AdamW's learning rate.
        warmup: Share of the steps over which it rises linearly.
        decay: Share of the steps over which it falls linearly, at the end.
        clip: Gradient norm limit.
        distil: Weight of 1 − cos(poor picture, the frozen net's vector of the clean one).
        contrastive: Weight of an InfoNCE to the frozen net's vector of another photo of the subject.
        tau: Its temperature.
        clean: Share of pictures that are left as they are.
        frozen_blocks: How many of the 13 blocks, and the stem, are left as they are.
    """

    steps: int = 1900
    batch: int = 16
    lr: float = 3e-4
    warmup: float = 0.02
    decay: float = 0.3
    clip: float = 5.0
    distil: float = 2.0
    contrastive: float = 1.0
    tau: float = 0.06
    clean: float = 0.15
    frozen_blocks: int = 5


@dataclass(frozen=True, slots=True)
class AlignOptions:
    """Step 1: text encoder and FCAM (paper §4.2).

    Attributes:
        epochs: Passes over the training images.
        batch: Subjects a batch; each gives two views, so 2·batch pairs.
        accumulate: Batches a step, in each process.
        head_lr: Adam learning rate of the projections.
        text_lr: Adam learning rate of the text encoder; 0 freezes it.
        weight_decay: Of the text encoder.
        warmup: Fraction of the steps over which the learning rates rise linearly.
        clip: Gradient norm limit, applied BEFORE the step.
        captions: `drawn` (a seeded line each time) or `constant` (the image-only control).
    """

    epochs: int = 20
    batch: int = 64
    accumulate: int = 1
    head_lr: float = 1e-3
    text_lr: float = 2e-5
    weight_decay: float = 0.01
    warmup: float = 0.05
    clip: float = 1.0
    captions: str = "drawn"


@dataclass(frozen=True, slots=True)
class FuseOptions:
    """Step 2: FCFM over the frozen step-1 model (paper §4.2).

    Attributes:
        epochs: Passes over the training images.
        batch: Pairs a batch.
        accumulate: Batches a step, in each process.
        optimiser: `sgd` (as printed) or `adam`.
        lr: Initial learning rate.
        milestones: Epochs after which the rate is divided by 10.
        momentum: Of SGD.
        weight_decay: Of either optimiser.
        scale: ArcFace s.
        margin: ArcFace m, radians.
        contrastive: Weight of an InfoNCE between two views of a subject, beside the identity loss.
    """

    epochs: int = 36
    batch: int = 128
    accumulate: int = 1
    optimiser: str = "sgd"
    lr: float = 0.1
    milestones: tuple[int, ...] = (6, 24)
    momentum: float = 0.9
    weight_decay: float = 1e-4
    scale: float = 30.0
    margin: float = 0.5
    contrastive: float = 0.0


@dataclass(frozen=True, slots=True)
class DescribeOptions:
    """Step 3: the readers of whole descriptions and of looks (not in the paper); needs `model.description_dim`.

    Attributes:
        epochs: Passes over the training images.
        batch: Subjects a batch.
        lr: AdamW learning rate.
        warmup: Fraction of the steps over which it rises linearly; then it falls linearly to nothing.
        weight_decay: Of the readers.
        further: Data sets whose descriptions (of their split `data.train`) are read too, not their photos; a subject id
            that stands in the training set as well is the same person.
    """

    epochs: int = 12
    batch: int = 384
    lr: float = 2e-3
    warmup: float = 0.05
    weight_decay: float = 0.01
    further: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """A whole training run.

    Attributes:
        name: Model id of the checkpoint.
        seed: Of everything that is drawn.
        device: `auto`, `cpu`, `cuda`.
        score: `blocks` weighs all blocks by probe quality (the shipped default); `fused` compares the fused block
            alone, as the paper does.
        precision: `auto` (bf16 where the hardware gains), `float32`, `bfloat16` or `float16` (gradients scaled): of the
            text encoder's arithmetic, by far the largest part; the rest is float32.
        data: See `DataOptions`.
        model: See `ModelOptions`.
        loss: See `LossOptions`.
        adapt: See `AdaptOptions`.
        align: See `AlignOptions`.
        fuse: See `FuseOptions`.
        describe: See `DescribeOptions`.
    """

    name: str
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    score: str = "blocks"
    data: DataOptions
    model: ModelOptions = field(default_factory=ModelOptions)
    loss: LossOptions = field(default_factory=LossOptions)
    adapt: AdaptOptions = field(default_factory=AdaptOptions)
    align: AlignOptions = field(default_factory=AlignOptions)
    fuse: FuseOptions = field(default_factory=FuseOptions)
    describe: DescribeOptions = field(default_factory=DescribeOptions)
