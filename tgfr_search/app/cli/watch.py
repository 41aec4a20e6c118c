"""The commands `watch …`: probes that every newly enrolled row is matched with. Exit codes as in `main.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tgfr_search.app.cli import console
from tgfr_search.app.cli.audit import Audit, make_journal
from tgfr_search.app.cli.options import (
    DEFAULT_INDEX,
    MIN_EYES,
    Aligned,
    CalibrationFile,
    CohortFile,
    DetectorName,
    Device,
    FaceBox,
    FaceEyes,
    FaceNumber,
    Index,
    Json,
    MinEyes,
    Model,
    Multiple,
    make_finder,
)

watch_app = typer.Typer(
    no_args_is_help=True, help="Probes that are kept, and matched with every row that `index` enrols from then on."
)


@watch_app.command()
def add(
    probe: Annotated[Path, typer.Argument(help="Probe photo.")],
    index: Index = DEFAULT_INDEX,
    caption: Annotated[list[str] | None, typer.Option(help="What a witness said; may be given several times.")] = None,
    threshold: Annotated[float | None, typer.Option(help="Rows that score as high or higher are hits.")] = None,
    fpir: Annotated[
        float | None,
        typer.Option(help="Or the share of days on which a stranger may be a hit, by the model's calibration."),
    ] = None,
    rows_a_day: Annotated[
        int | None, typer.Option(help="Rows that the gallery grows by in a day; default as in the calibration.")
    ] = None,
    face: FaceNumber = None,
    box: FaceBox = None,
    eyes: FaceEyes = None,
    on_multiple: Multiple = "largest",
    detector: DetectorName = None,
    aligned: Aligned = False,
    min_eyes: MinEyes = MIN_EYES,
    calibration: CalibrationFile = None,
    cohort: CohortFile = None,
    model: Model = None,
    device: Device = "auto",
    audit: Audit = None,
    as_json: Json = False,
) -> None:
    """Keep a probe's template beside an index. Rows that are there already are what `query` is for.

    It is personal data: `watch remove` takes it and its hits off the disk. Snapshots and exports have no watches.
    """
    from pipelines.search.gallery import Gallery
    from pipelines.search.watch.keep import Limit, add_watch
    from pipelines.search.watch.listed import list_watches
    from tgfr_search.faces.choice import FaceChoice

    limit = Limit(threshold, fpir, rows_a_day)
    gallery = Gallery.open(
        index,
        model=model,
        device=device,
        finder=make_finder(on_multiple, aligned, detector, min_eyes),
        journal=make_journal(audit),
        calibration=calibration,
        cohort=cohort,
    )
    watch, warning = add_watch(
        gallery,
        probe,
        caption or (),
        limit=limit,
        face=FaceChoice.of(face, box, eyes),
        files={"calibration": calibration, "cohort": cohort},
    )
    (told,) = (each for each in list_watches(index) if each["watch"] == watch.name)

    def show() -> None:
        console.pairs({"watch": watch.name, "threshold": f"{watch.threshold:.3f}"})
        console.say(expectation(told))
        if warning:
            console.say(f"note: {warning}", err=True)

    console.emit({**told, "warning": warning}, as_json, show)


@watch_app.command("list")
def list_(
    index: Annotated[Path, typer.Argument(help="Index directory.", envvar="TGFR_INDEX")] = DEFAULT_INDEX,
    audit: Audit = None,
    as_json: Json = False,
) -> None:
    """Every watch with its hits, and how many hits strangers alone would have given."""
    from pipelines.search.watch.listed import list_watches
    from tgfr_search.terms import LEAD_NOTICE

    found = list_watches(index, make_journal(audit))

    def show() -> None:
        for each in found:
            words = f" with {each['lines']} lines of words" if each["lines"] else ""
            console.say(f"{each['watch']}: added {each['added']}, a picture{words}, threshold {each['threshold']:.3f}")
            console.say(f"  {len(each['hits'])} hits among {each['rows']:,} rows. {expectation(each)}")
            if each["waiting"]:
                console.say(f"  {each['waiting']:,} rows are not matched yet: the next `index` matches them")
            if each["hits"]:
                rows = [
                    [f"{hit['row_id']}", hit["subject_id"] or "(deleted)", f"{hit['score']:.3f}", hit["found"]]
                    for hit in each["hits"]
                ]
                console.table(each["watch"], ["row", "subject", "score", "found"], rows)
        console.say(LEAD_NOTICE if found else "no watches", err=True)

    console.emit({"index": str(index), "notice": LEAD_NOTICE, "watches": found}, as_json, show)


@watch_app.command()
def remove(
    watch: Annotated[str, typer.Argument(help="Its name; see `watch list`.")],
    index: Index = DEFAULT_INDEX,
    audit: Audit = None,
    as_json: Json = False,
) -> None:
    """Take a watch off the disk: template, commitments and hits."""
    from pipelines.search.watch.keep import remove_watch

    gone = remove_watch(index, watch, make_journal(audit))
    values = {"index": str(index), "removed": gone.name, "hits": len(gone.hits)}
    console.emit(values, as_json, lambda: console.pairs(values))


def expectation(told: dict[str, Any]) -> str:
    """What strangers alone would give, in a sentence."""
    expected = told["expected"]
    if expected["a_row"] is None:
        return f"How many hits strangers give is not known: {expected['refused']}."
    often = f"about one in {1 / expected['a_row']:,.0f}" if expected["a_row"] > 0 else "none"
    said = f"Of strangers' rows {often} reaches it"
    if expected["a_day"] is not None:
        said += f", {expected['a_day']:.2g} a day at {told['rows_a_day']:,} rows a day"
    if told["rows"]:
        said += f"; so far {expected['so_far']:.2g} such hits are to be expected"
    return f"{said}{' (extrapolated)' if expected['extrapolated'] else ''}."
