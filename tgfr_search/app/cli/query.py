"""The command `query`: what is asked. Exit codes as in `main.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tgfr_search.app.cli import console
from tgfr_search.app.cli.audit import Audit, make_journal
from tgfr_search.app.cli.declared import (
    CaptionOrigin,
    Generated,
    PopulationName,
    ProbeKinds,
    Processing,
    declared,
    list_of,
)
from tgfr_search.app.cli.options import (
    DEFAULT_INDEX,
    MIN_EYES,
    Aligned,
    Backend,
    CalibrationFile,
    CohortFile,
    DetectorName,
    Device,
    FaceBox,
    FaceEyes,
    FaceNumber,
    Index,
    Json,
    MilvusCollection,
    MilvusUri,
    MinEyes,
    Model,
    Multiple,
    make_finder,
)
from tgfr_search.app.cli.query_answer import show_answer
from tgfr_search.errors import InputError
from tgfr_search.terms import QUERY_MODES


def query(
    probes: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PROBE]...",
            help="Probe photo, several of one person, or a video file; none: search by description alone.",
        ),
    ] = None,
    index: Index = DEFAULT_INDEX,
    caption: Annotated[
        list[str] | None,
        typer.Option(
            help="What a witness said, in plain English: `a woman of about twenty, no glasses, might have had a "
            "fringe`; may be given several times. docs/words.md says what is understood."
        ),
    ] = None,
    witness: Annotated[
        list[str] | None,
        typer.Option(help="In place of --caption: what one witness said; once a witness, a new line within a line."),
    ] = None,
    reliability: Annotated[
        list[float] | None,
        typer.Option(help="Of each --witness, in their order: 0 (knows nothing) to 1 (surely speaks of this person)."),
    ] = None,
    top_k: Annotated[int | None, typer.Option(help="Candidates shown; default 10.")] = None,
    mode: Annotated[str, typer.Option(help=f"One of: {', '.join(QUERY_MODES)}.")] = "auto",
    aggregate: Annotated[str, typer.Option(help="A subject's score: `max` of its rows, or `mean`.")] = "max",
    where: Annotated[
        str | None, typer.Option(help="Rank only rows for which this is true: \"site = 'A' and year >= 2024\".")
    ] = None,
    face: FaceNumber = None,
    box: FaceBox = None,
    eyes: FaceEyes = None,
    faces: Annotated[
        Path | None, typer.Option(help="Also write the photo with its faces, or a video's people, numbered (.png).")
    ] = None,
    on_multiple: Multiple = "largest",
    detector: DetectorName = None,
    aligned: Aligned = False,
    min_eyes: MinEyes = MIN_EYES,
    milvus_uri: MilvusUri = None,
    milvus_collection: MilvusCollection = None,
    sheet: Annotated[
        list[Path] | None, typer.Option(help="Also write a contact sheet: probe, candidates, scores (.html or .png).")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Let --sheet and --faces overwrite a file that is none of ours.")
    ] = False,
    explain: Annotated[
        int, typer.Option(help="Say of the first N candidates which words and face regions moved their scores.")
    ] = 0,
    blocks: Annotated[
        bool, typer.Option("--blocks", help="Also a column for what each block adds to the score.")
    ] = False,
    model: Model = None,
    device: Device = "auto",
    backend: Backend = "auto",
    audit: Audit = None,
    calibration: CalibrationFile = None,
    cohort: CohortFile = None,
    probe_kind: ProbeKinds = "still",
    processing: Processing = None,
    generated: Generated = False,
    caption_origin: CaptionOrigin = "witness",
    population: PopulationName = "",
    mode_of_search: Annotated[
        str | None,
        typer.Option(
            help="investigation: a list of fixed length, 20 unless --top-k says another; identification: those that "
            "reach the calibration's threshold for --fpir, perhaps nobody."
        ),
    ] = None,
    fpir: Annotated[
        float | None, typer.Option(help="Of an identification: rate of searches of strangers that report somebody.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Rank the gallery's subjects for a probe image, a description, or both."""
    from pipelines.search.gallery import Gallery
    from tgfr_search.faces.clip import is_video

    witnesses = told_witnesses(witness, reliability)
    if witnesses and (caption or explain):
        told_too = "--caption" if caption else "--explain"
        raise InputError("--witness", found=f"{told_too} beside it", expected="one of both")
    length, rate = list_of(mode_of_search, top_k, fpir)
    said = declared(probe_kind, processing, generated, caption_origin, population)
    several, probe = probes if probes and len(probes) > 1 else None, probes[0] if probes else None
    alone = {"--face": face, "--box": box, "--eyes": eyes, "--faces": faces, "--explain": explain}
    if several and (told := [name for name, value in alone.items() if value]):
        do = "give one photo, or crop the others to the face that is meant"
        raise InputError(told[0], found=f"{len(several)} photos", expected="one, of which it is said", do=do)
    if explain and is_video(probe):
        raise InputError("--explain", found="a video", expected="one photo", do="explain a still picture of it")
    if faces is not None:
        from tgfr_search.outputs import check_file

        if probe is None:
            raise InputError("--faces", found="no probe photo", expected="a photo to show")
        check_file(faces, endings=(".png",), inputs=[probe], outside=[index], force=force)
    for path in sheet or ():
        from pipelines.search.sheet.sheet import check_sheet

        check_sheet(path, probe, index, force=force)  # before the work: an answer is not to be lost for it
    if not as_json:
        console.tell_log("indexer")  # what `auto` chose and why, what was built and its recall
    gallery = Gallery.open(
        index,
        model=model,
        device=device,
        finder=make_finder(on_multiple, aligned, detector, min_eyes),
        backend=backend,
        milvus_uri=milvus_uri if backend == "milvus" else None,
        milvus_collection=milvus_collection,
        journal=make_journal(audit),
        calibration=calibration,
        cohort=cohort,
        declared=said,
        fpir=rate,
    )
    result = gallery.query(
        None if probe is None or several else str(probe),
        witnesses=witnesses,
        images=None if several is None else [str(path) for path in several],
        caption=caption or (),
        top_k=length,
        mode=mode,  # type: ignore[arg-type]
        aggregate=aggregate,  # type: ignore[arg-type]
        where=where,
        face=face,
        box=box,
        eyes=eyes,
    )
    explained = None
    if explain:
        from pipelines.search.explain.explain import explain as explain_scores

        explained = explain_scores(gallery, result, None if probe is None else str(probe), caption or (), count=explain)

    values = result.as_dict() | ({} if explained is None else {"explained": explained.as_dict()})
    console.emit(values, as_json, lambda: show_answer(result, blocks, explained))
    for path in sheet or ():
        from pipelines.search.probes.probe import said_lines
        from pipelines.search.sheet.sheet import write_sheet

        write_sheet(path, gallery, result, probe, said_lines(caption), explained, force=force)
    if faces is not None and result.face is not None:
        from pipelines.search.sheet.faces import write_faces, write_people

        if "video" in result.probe:
            write_people(faces, str(probe), result.probe["video"], gallery.finder.options.max_pixels)
        else:
            write_faces(faces, gallery.finder.load(str(probe)), result.face.seen)


def told_witnesses(said: list[str] | None, reliability: list[float] | None) -> list[tuple[list[str], float]] | None:
    """Witnesses of the command line: pairs of lines and reliability, 1 where none is given.

    Raises:
        InputError: More or fewer reliabilities than witnesses.
    """
    if reliability and len(reliability) != len(said or ()):
        found = f"{len(reliability)} for {len(said or ())} --witness"
        raise InputError("--reliability", found=found, expected="one for each --witness, in their order, or none")
    if not said:
        return None
    return list(zip([text.splitlines() for text in said], reliability or [1.0] * len(said), strict=True))
