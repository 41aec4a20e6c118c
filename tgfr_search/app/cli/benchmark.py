"""The commands of the measure: `benchmark`, `benchmark-pairs` and `degrade`. Exit codes as in `cli.py`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from tgfr_search.app.cli import console
from tgfr_search.app.cli.options import (
    MIN_EYES,
    PARTIAL,
    Aligned,
    CalibrationFile,
    CohortFile,
    DetectorName,
    Device,
    Json,
    MinEyes,
    Multiple,
    SamePerson,
    make_finder,
)
from tgfr_search.outputs import check_folder

EARLIER = ("report.json", "cells", "cache", "pairs.json")
"""What an earlier run left in its folder, finished or not."""
NAMES = 20
"""Refused photos named on a terminal."""


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def benchmark(
    probes: Annotated[Path, typer.Argument(help="Folder of photos, image Parquet, or table of images, with subjects.")],
    out: Annotated[Path, typer.Option(help="Folder of the report; a killed run goes on there.")],
    gallery: Annotated[
        Path | None, typer.Option(help="Gallery, or an index that kept its crops; none: PROBES is one labelled set.")
    ] = None,
    captions_file: Annotated[Path | None, typer.Option(help="Captions table of a folder of probes.")] = None,
    split: Annotated[
        str | None, typer.Option(help="Part of a published data set, or of a table with a column `split`.")
    ] = None,
    levels: Annotated[str, typer.Option(help="Of the quality ladder, comma separated.")] = "normal,poor,bad,very_bad",
    condition: Annotated[str, typer.Option(help="Degrade probes only (clean-gallery), or both.")] = "clean-gallery",
    captions: Annotated[
        str,
        typer.Option(help="all, or of own, own3, paper, cross, cross2, cross3, wrong, wrong2, wrong3, constant, none."),
    ] = "own",
    systems: Annotated[
        str | None,
        typer.Option(help="Names or name=checkpoint folder, comma separated; default all shipped but `searched`."),
    ] = None,
    same_person: SamePerson = None,
    group_by: Annotated[str | None, typer.Option(help="Metadata column to break figures down by.")] = None,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 0,
    resamples: Annotated[int, typer.Option(help="Of the bootstrap.")] = 1000,
    enrolment: Annotated[
        bool, typer.Option("--enrolment/--no-enrolment", help="Measure failure to enrol on degraded whole photos.")
    ] = True,
    end_to_end: Annotated[
        bool, typer.Option("--end-to-end/--no-end-to-end", help="Measure the systems on degraded whole photos too.")
    ] = True,
    pictures: Annotated[
        bool, typer.Option("--pictures/--no-pictures", help="Keep faces of the examples in the report.")
    ] = True,
    cache: Annotated[Path | None, typer.Option(help="Faces and features; default OUT/cache.")] = None,
    calibration: CalibrationFile = None,
    cohort: CohortFile = None,
    pairs: Annotated[
        Path | None, typer.Option(help="The same as `benchmark-pairs`: a face encoder alone, on a list of pairs.")
    ] = None,
    encoder: Annotated[str, typer.Option(help="With --pairs: which face encoder, see `model list`.")] = "dlib-resnet",
    workers: Annotated[int | None, typer.Option(help="Processes that find faces; default one a core.")] = None,
    on_multiple: Multiple = "largest",
    detector: DetectorName = None,
    aligned: Aligned = False,
    min_eyes: MinEyes = MIN_EYES,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Measure systems on labelled photos: verification, identification, open set, by quality, with intervals."""
    if pairs is not None:
        benchmark_pairs(
            probes, out, pairs, encoder, workers, on_multiple, detector, aligned, min_eyes, device, as_json=as_json
        )
        return
    inputs = [path for path in (probes, gallery, captions_file, same_person, calibration, cohort) if path is not None]
    check_folder(out, inputs=inputs, outside=[] if gallery is None else [gallery], known_by=EARLIER)
    from pipelines.measure.benchmark import run_benchmark
    from pipelines.measure.data import BenchOptions
    from pipelines.measure.systems.names import check_regimes, load_systems, usual_systems
    from tgfr_search.evaluation.report.draw import draw_report
    from tgfr_search.evaluation.report.reading import Report

    options = BenchOptions(
        probes=probes,
        gallery=gallery,
        captions_file=captions_file,
        split=split,
        levels=_split(levels),
        condition=condition,
        regimes=check_regimes(_split(captions)),
        group_by=group_by,
        same_person=same_person,
        seed=seed,
        resamples=resamples,
        enrolment=enrolment,
        end_to_end=end_to_end,
        calibration=calibration,
        cohort=cohort,
    )
    chosen = load_systems(usual_systems() if systems is None else _split(systems), device)
    with console.stages(quiet=as_json) as progress:
        tree = run_benchmark(
            options,
            chosen,
            out,
            cache or out / "cache",
            finder=make_finder(on_multiple, aligned, detector, min_eyes),
            workers=workers,
            pictures=pictures,
            progress=progress,
        )
        progress("drawing the report", 0, 1)
        draw_report(out)
        progress("drawing the report", 1, 1)
    report = Report(tree)

    def show() -> None:
        for sentence in report.answers():
            console.say(sentence, err=True)
        for warning in tree["data"]["warnings"]:
            console.say(f"note: {warning}", err=True)
        console.table("rates in per cent, with 95 % intervals", *report.summary())
        console.say(f"report: {out / 'report.html'}", err=True)
        console.say(tree["notice"], err=True)

    shown: dict[str, Any] = {k: v for k, v in tree.items() if k not in ("curves", "examples")}
    console.emit({"report": str(out / "report.html"), "answers": report.answers(), **shown}, as_json, show)
    _need_figures([record["value"] for record in tree["results"]])


def benchmark_pairs(
    folder: Annotated[Path, typer.Argument(help="LFW, a folder of the same form, or IJB-B/C, as published.")],
    out: Annotated[Path, typer.Option(help="Folder of the result.")],
    pairs: Annotated[Path | None, typer.Option(help="List of pairs; default the data set's own.")] = None,
    encoder: Annotated[str, typer.Option(help="Which face encoder, see `model list`.")] = "dlib-resnet",
    workers: Annotated[int | None, typer.Option(help="Processes that find faces; default one a core.")] = None,
    on_multiple: Multiple = "largest",
    detector: DetectorName = None,
    aligned: Aligned = False,
    min_eyes: MinEyes = MIN_EYES,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Measure a face encoder alone on listed pairs: LFW's ten folds with standard errors, IJB's templates."""
    check_folder(out, inputs=[path for path in (folder, pairs) if path is not None], known_by=EARLIER)
    from pipelines.measure.pairs import RESULT
    from pipelines.measure.pairs import benchmark_pairs as run
    from tgfr_search.encoders.base import pick_device
    from tgfr_search.encoders.registry import default_regions, fast_dtype, make_face_encoder

    where = pick_device(device)
    net = make_face_encoder(encoder, where, fast_dtype(where), flip=True, regions=default_regions(encoder))
    finder = make_finder(on_multiple, aligned, detector, min_eyes)
    with console.stages(quiet=as_json) as progress:
        tree = run(folder, net, out, pairs, finder=finder, workers=workers, progress=progress)

    def show() -> None:
        figures = {"accuracy": tree.get("accuracy"), "EER": tree["eer"]}
        figures |= {f"TAR@FAR {far}": figure for far, figure in tree["tar_at_far"].items()}
        rows = [
            [
                what,
                "–" if figure["value"] is None else f"{100 * figure['value']:.2f}",
                f"{100 * figure['error']:.2f}" if figure.get("error") is not None else "",
                figure["reason"],
            ]
            for what, figure in figures.items()
            if figure is not None
        ]
        console.table(tree["protocol"], ["per cent", "value", "standard error", ""], rows)
        console.pairs({k: v for k, v in tree.items() if k not in ("accuracy", "eer", "tar_at_far", "notice")})
        console.say(out / RESULT, err=True)
        console.say(tree["notice"], err=True)

    console.emit(tree, as_json, show)
    _need_figures([tree["eer"]["value"], (tree.get("accuracy") or {}).get("value")])


def _need_figures(values: Sequence[float | None]) -> None:
    """A benchmark that measured nothing has not done what it was asked."""
    if all(value is None for value in values):
        console.say("nothing was measured: the reasons stand beside each figure", err=True)
        raise typer.Exit(1)


def degrade(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A photo or a folder of photos.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File or folder to write.")],
    level: Annotated[str, typer.Option(help="normal, poor, bad or very_bad.")],
    seed: Annotated[int, typer.Option(help="Another seed gives another noise.")] = 0,
    on_multiple: Multiple = "largest",
    detector: DetectorName = None,
    aligned: Aligned = False,
    min_eyes: MinEyes = MIN_EYES,
    as_json: Json = False,
) -> None:
    """Write photos as poor as a level of the benchmark makes them, relative to the size of their faces."""
    from pipelines.faces.degrade import worsen

    with console.stages(quiet=as_json) as progress:
        summary = worsen(
            source,
            out,
            level,
            seed=seed,
            finder=make_finder(on_multiple, aligned, detector, min_eyes),
            progress=progress,
        )

    def show() -> None:
        console.say(f"{summary.written} written to {out}, {len(summary.refused)} refused")
        for name, why in list(summary.refused.items())[:NAMES]:
            console.say(f"{name}: {why}", err=True)

    console.emit({"out": str(out), **summary.as_dict()}, as_json, show)
    if not summary.written:
        raise typer.Exit(1)
    if summary.refused:
        raise typer.Exit(PARTIAL)
