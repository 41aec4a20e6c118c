"""Options that several commands of the command line share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tgfr_search.errors import InputError

if TYPE_CHECKING:
    from tgfr_search.faces.finder import FaceFinder

PARTIAL = 3
"""Exit code: done in part."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
DEFAULT_INDEX = Path("tgfr-index")
Index = Annotated[Path, typer.Option("--index", help="Index directory.", envvar="TGFR_INDEX", show_envvar=True)]
Out = Annotated[Path, typer.Option("--out", help="Index directory.", envvar="TGFR_INDEX", show_envvar=True)]
SamePerson = Annotated[
    Path | None,
    typer.Option(help="Decisions about labels, as `gallery check` asks for: who is one person under several ids."),
]
Model = Annotated[str | None, typer.Option("--model", help="Shipped model or checkpoint folder.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, …")]
Backend = Annotated[
    str,
    typer.Option(
        help="What searches: auto, exact, flat, flat-fp16, flat-sq8, scan, scan-shards, ivf, hnsw, gpu, gpu-ivfpq, "
        "torch, milvus (see docs/scale.md); NAME@0.95 asks that recall@1 of one that may miss a row."
    ),
]
Multiple = Annotated[
    str, typer.Option("--on-multiple", help="Several faces in a photo: take the `largest`, or `error`.")
]
MultipleOrAll = Annotated[
    str,
    typer.Option(
        "--on-multiple",
        help="Several faces in a photo: the `largest`, `error`, or `all`, each a row of the photo's subject.",
    ),
]
DetectorName = Annotated[
    str | None,
    typer.Option("--detector", help="`dlib` or `retinaface`; default the index's own, else the model's."),
]
Aligned = Annotated[bool, typer.Option("--aligned", help="Images are aligned face chips already; detect nothing.")]
SubjectLevel = Annotated[
    int | None,
    typer.Option("--subject-level", help="Of a folder: which folder is named after the subject, 1 the first below it."),
]
MIN_EYES = 10.0
MinEyes = Annotated[
    float, typer.Option("--min-eyes", metavar="PX", help="Least distance between the eyes of a face, in pixels.")
]
MilvusUri = Annotated[
    str | None,
    typer.Option("--milvus-uri", help="http://HOST:19530, or FILE.db.", envvar="TGFR_MILVUS_URI", show_envvar=True),
]
MilvusCollection = Annotated[
    str | None, typer.Option("--milvus-collection", help="Default the index's own, or the only one.")
]
CalibrationFile = Annotated[
    Path | None, typer.Option("--calibration", help="A calibration; default the one that comes with the model.")
]

CohortFile = Annotated[
    Path | None, typer.Option("--cohort", help="Of the calibration; default the one that comes with the model.")
]

FaceNumber = Annotated[
    int | None,
    typer.Option("--face", help="Of several faces: which is meant, 1 the largest, in a video the one in most frames."),
]
FaceBox = Annotated[
    str | None, typer.Option("--box", help="Or X,Y,WIDTH,HEIGHT that holds it, in pixels of the photo.")
]
FaceEyes = Annotated[
    str | None,
    typer.Option(
        "--eyes", help="Or the centres of its eyes, X1,Y1,X2,Y2, left in the picture first; or five points so."
    ),
]


def make_finder(
    on_multiple: str, aligned: bool, detector: str | None = None, min_eyes: float = MIN_EYES, *, several: bool = False
) -> FaceFinder:
    """How photos become faces; `several` is whether a photo may give more than one.

    Raises:
        InputError: An option has another value than those it may have.
    """
    from tgfr_search.faces.finder import FaceFinder, FaceOptions

    if on_multiple == "all" and not several:
        raise InputError("--on-multiple", found="all", expected="largest or error", do="`index` alone takes all faces")
    options = FaceOptions(
        on_multiple=on_multiple,  # type: ignore[arg-type]
        aligned=aligned,
        detector=detector or "",
        min_inter_eye_px=min_eyes,
    )
    return FaceFinder(options)
