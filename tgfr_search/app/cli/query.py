"""The command `query`: what is asked, and the answer as a person reads it. Exit codes as in `cli.py`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from tgfr_search.app.cli.explain import show_explained
from tgfr_search.app.cli.options import (
    DEFAULT_INDEX,
    MIN_EYES,
    Aligned,
    Backend,
    CalibrationFile,
    CohortFile,
    DetectorName,
    Device,
    Index,
    Json,
    MilvusCollection,
    MilvusUri,
    MinEyes,
    Model,
    Multiple,
    make_finder,
)
from tgfr_search.errors import InputError
from tgfr_search.terms import QUERY_MODES
from tgfr_search.visible import cut_words

if TYPE_CHECKING:
    from tgfr_search.types import QueryResult, SearchHit

CAPTION_SHOWN = 60
"""Characters of an enrolled caption on a terminal; a pipe and `--json` get all of it."""
STRONGEST = 2
"""Blocks named as the reason of a score."""
SHOWN_PEOPLE = 10
"""People of a video on a terminal; `--json` has all."""
SHOWN = 3
"""Candidates of each of several pictures on a terminal; `--json` has all."""
LEAST = 0.005
"""A smaller difference shows as zero."""


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
    face: Annotated[
        int | None,
        typer.Option(help="Of several faces: which is meant, 1 the largest, in a video the one in most frames."),
    ] = None,
    box: Annotated[str | None, typer.Option(help="Or X,Y,WIDTH,HEIGHT that holds it, in pixels of the photo.")] = None,
    eyes: Annotated[
        str | None,
        typer.Option(help="Or the centres of its eyes, X1,Y1,X2,Y2, left in the picture first; or five points so."),
    ] = None,
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
        from pipelines.search.explain import explain as explain_scores

        explained = explain_scores(gallery, result, None if probe is None else str(probe), caption or (), count=explain)

    def show() -> None:
        _show(result, blocks)
        for picture in result.probe.get("pictures", ()):
            firsts = ", ".join(f"{hit['subject_id']} {hit['score']:.3f}" for hit in picture["candidates"][:SHOWN])
            console.say(f"{picture['picture']} alone: {firsts or picture['error']['detail']}")
        if explained is not None:
            show_explained(explained)
        _show_understood(result)
        for track in result.probe.get("video", {}).get("tracks", ())[:SHOWN_PEOPLE]:
            span = f"{track['first_seconds']:.1f}–{track['last_seconds']:.1f} s"
            used = ", searched with" if track["chosen"] else ""
            console.say(f"face {track['number']}: in {track['frames']} of the frames looked at, {span}{used}", err=True)
        for note in result.notes:
            console.say(f"note: {note}", err=True)
        if result.calibration is not None:
            for line in result.calibration["propositions"]:
                console.say(line, err=True)
            console.say("strangers: how many would reach this score if all who were searched were strangers", err=True)
        console.say("why: the parts of the score that differ most from the mean of the candidates shown", err=True)
        console.say(f"timing ms: {' '.join(f'{k} {v:.1f}' for k, v in result.timing_ms.items())}", err=True)
        console.say(result.notice, err=True)

    values = result.as_dict() | ({} if explained is None else {"explained": explained.as_dict()})
    console.emit(values, as_json, show)
    for path in sheet or ():
        from pipelines.search.probe import said_lines
        from pipelines.search.sheet.sheet import write_sheet

        write_sheet(path, gallery, result, probe, said_lines(caption), explained, force=force)
    if faces is not None and result.face is not None:
        from pipelines.search.faces_picture import write_faces, write_people

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


def _show(result: QueryResult, blocks: bool) -> None:
    """Who, how sure, why: the score is never squeezed, and its parts are told by name where they are not asked for."""
    import sys

    from tgfr_search.forensic.statement import lr_text

    terminal = sys.stdout.isatty()
    first = result.candidates[0].blocks if result.candidates else {}
    names = list(first) if blocks else []
    worth = result.calibration is not None
    mean = {name: sum(hit.blocks[name] for hit in result.candidates) / len(result.candidates) for name in first}
    rows = [
        [
            str(hit.rank),
            hit.subject_id,
            f"{hit.score:.3f}",
            *(f"{hit.blocks[name]:.3f}" for name in names),
            *((lr_text(hit.lr), _strangers(hit)) if worth else ()),
            _why(hit, mean),
            hit.image,
            _caption(hit, terminal),
        ]
        for hit in result.candidates
    ]
    title = f"{result.mode} search" + (f" where {result.where}" if result.where else "")
    heads = ["rank", "score", "subject"] if terminal else ["rank", "subject", "score"]
    if terminal:  # what must not be squeezed comes first; a long subject is folded, never cut
        rows = [[rank, score, subject, *rest] for rank, subject, score, *rest in rows]
    console.table(
        title,
        [*heads, *names, *(["log10 LR", "strangers"] if worth else []), "why", "image", "caption"],
        rows,
        key=2 if terminal else 3,
    )


def _show_understood(result: QueryResult) -> None:
    """What of the words was read, and which words were not."""
    from pipelines.search.understood import understood_text, unread_text

    if result.description is not None:
        console.say(f"understood: {understood_text(result.description) or 'nothing'}", err=True)
        if unread := unread_text(result.description):
            console.say(f"not understood: {unread}", err=True)


def _strangers(hit: SearchHit) -> str:
    expected = hit.expected_strangers
    return "" if expected is None else f"{expected:.2g}" if expected >= 0.01 else "< 0.01"


def _why(hit: SearchHit, mean: dict[str, float]) -> str:
    """The blocks in which this candidate differs most from the mean of those shown."""
    apart = [(name, value - mean[name]) for name, value in hit.blocks.items()]
    ranked = sorted(apart, key=lambda block: -abs(block[1]))[:STRONGEST]
    return ", ".join(f"{name} {value:+.2f}" for name, value in ranked if abs(value) >= LEAST) or "–"


def _caption(hit: SearchHit, terminal: bool) -> str:
    caption = cut_words(hit.caption, CAPTION_SHOWN) if terminal else hit.caption
    return ("[machine-made] " if hit.auto_caption else "") + caption
