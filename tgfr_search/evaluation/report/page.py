"""The report as one page of HTML: no script, no network, everything inside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

from tgfr_search.evaluation.report.answer import answer, facts, warnings
from tgfr_search.evaluation.report.foot import examples, protocol, provenance
from tgfr_search.evaluation.report.plots import Plot, inline, plots
from tgfr_search.evaluation.report.reading import (
    EER,
    FNIRS,
    FTE,
    IDENTIFICATION,
    OPEN_SET,
    RANKS,
    TARS,
    VERIFICATION,
    Report,
    spoken,
)
from tgfr_search.evaluation.report.style import STYLE
from tgfr_search.evaluation.report.tables import differences, dot, figures, groups, interval, table
from tgfr_search.evaluation.report.words import REGIMES

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""The page may load nothing: a browser that is told so holds even a mistake of ours to it."""

MARKED = "▲ better and ▼ worse than frozen: the interval of the paired difference excludes zero."
SUMMARY = (RANKS[0], EER, TARS[-1], FNIRS[-1])

Section = tuple[str, str, str]
"""(anchor, title, body)."""


def page(report: Report, pictures: Mapping[str, bytes]) -> str:
    """The whole page.

    Args:
        report: What was measured.
        pictures: File name → JPEG of the examples' faces; one that is not there is told as such.
    """
    sections = [section for section in _sections(report, pictures) if section[2]]
    links = "".join(f'<a href="#{anchor}">{title}</a>' for anchor, title, _ in sections)
    body = "".join(f'<section id="{anchor}"><h2>{title}</h2>{html}</section>' for anchor, title, html in sections)
    title = _title(report)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><title>{title}</title>'
        f"<style>{STYLE}</style></head><body><header><h1>{title}</h1>{facts(report)}"
        f'<p class="notice">{escape(report.tree["notice"])}</p><nav>{links}</nav></header>'
        f"<main>{answer(report)}{warnings(report)}{body}</main></body></html>\n"
    )


def _title(report: Report) -> str:
    options = report.tree["options"]
    split = f", {options['split']}" if options["split"] else ""
    return escape(f"Face search measured on {Path(options['probes']).name}{split}")


def _sections(report: Report, pictures: Mapping[str, bytes]) -> Iterator[Section]:
    series, drawn = report.headline, {plot.name: plot for plot in plots(report)}
    yield "ladder", "Quality ladder", _plot(drawn.get("ladder"))
    pairs = figures(report, series, VERIFICATION, "All pairs of images", counts=("n_genuine", "n_impostor"))
    curves = _plot(drawn.get("roc"), "ROC") + _plot(drawn.get("det"), "DET")
    yield "verification", "Verification", f"{pairs}<p><small>{MARKED}</small></p>{curves}"
    counts = ("n_probes", "n_gallery")
    closed = figures(report, series, IDENTIFICATION, "Everybody searched for is enrolled", counts=counts)
    yield "identification", "Identification", closed + _plot(drawn.get("cmc"), "CMC")
    told = (
        "<p>Some searches are for somebody who is not enrolled. FNIR: share of the enrolled who are missed at the "
        "threshold that raises a false alarm in the given share (FPIR) of the other searches.</p>"
    )
    yield "open-set", "Open set", told + figures(report, series, OPEN_SET, "", counts=counts)
    yield "captions", "Caption regimes", _captions(report, drawn.get("captions"))
    yield "differences", "Paired differences", _differences(report)
    yield "scores", "Score distributions", _scores([p for name, p in drawn.items() if name.startswith("scores-")])
    yield "enrolment", "Failure to enrol", _enrolment(report, drawn.get("enrolment"))
    yield "groups", "Groups of people", _groups(report)
    yield "examples", "Examples", examples(report, pictures)
    yield "protocol", "Protocol and caveats", protocol(report)
    yield "provenance", "Provenance", provenance(report)


def _plot(plot: Plot | None, title: str = "") -> str:
    if plot is None:
        return ""
    keys = "".join(f"<span>{dot(shade)}{escape(name)}</span>" for name, shade in plot.keys)
    legend = f'<div class="legend">{keys}</div>' if len(plot.keys) > 1 else ""
    panels = "".join(
        f"<figure><figcaption>{escape(panel.title)}</figcaption>{inline(panel)}</figure>" for panel in plot.panels
    )
    return f'{f"<h3>{title}</h3>" if title else ""}{legend}<div class="plots">{panels}</div>'


def _captions(report: Report, plot: Plot | None) -> str:
    absent, shared = report.tree["absent_captions"], report.tree["shared_lines"]
    rows = []
    for regime in dict.fromkeys(regime for _, regime in report.measured):
        same = shared.get(regime)
        both = f"{same['genuine']:,} genuine, {same['impostor']:,} impostor" if same else ""
        said = f'<th>{escape(regime)}</th><td class="words">{REGIMES.get(regime, "")}</td>'
        rows.append(f"<tr>{said}<td>{absent.get(regime, 0):,}</td><td>{both}</td></tr>")
    html = table(
        "", ["regime", "what is said of the probe", "probes without words", "pairs with a line in common"], rows
    )
    several = [one for one in report.measured if sum(other[0] == one[0] for other in report.measured) > 1]
    return html + (figures(report, several, SUMMARY, "Every regime on its own row") if several else "") + _plot(plot)


def _differences(report: Report) -> str:
    out = ""
    for name, _ in report.baselines:
        rows = [one for one in report.measured if one[0] not in (name, "frozen")]
        caption = f"Less {name}, on the same pairs and resamples"
        out += differences(report, rows, (RANKS[0], EER, *TARS, FNIRS[-1]), name, caption) if rows else ""
    return out


def _scores(found: list[Plot]) -> str:
    if not found:
        return ""
    told = (
        "<p>Scores order candidates; they are not probabilities, and those of one system say nothing about those of "
        "another.</p>"
    )
    return told + "".join(_plot(plot) for plot in found)


def _enrolment(report: Report, plot: Plot | None) -> str:
    records = {level: report.get(("frozen", "none"), level, FTE) for level in report.levels}
    rows = []
    for level, record in records.items():
        if record is None:
            return "<p>Not measured (<code>--no-enrolment</code>).</p>"
        none = f'<span class="soft">– {escape(record["reason"] or "")}</span>'
        shown = none if record["value"] is None else interval(record["value"], record["low"], record["high"])
        rows.append(f"<tr><th>{spoken(level)}</th><td>{shown}</td><td>{record['n_probes'] or ''}</td></tr>")
    told = (
        "<p>The whole photo is degraded until its face has the level's size; then the detector looks again. A photo "
        "without a face as it is leaves every other figure; those are of aligned faces, degraded after detection.</p>"
    )
    return told + table("", ["level", "no face, %", "photos"], rows) + _plot(plot)


def _groups(report: Report) -> str:
    column = report.tree["options"]["group_by"]
    if not column:
        return ""
    few = sorted({r["group"] for r in report.tree["results"] if r["group"] and "fewer than" in (r["reason"] or "")})
    notice = (
        f'<p class="notice">In these groups a figure is not shown because too few people or pairs stand behind it: '
        f"{escape(', '.join(few))}.</p>"
    )
    told = (
        "<p>Error rates. Impostors are of the same group; the gallery of a search is everybody. The ratio has no "
        "interval: between small groups it is large by chance, so read the intervals first.</p>"
    )
    shown = "".join(groups(report, one, (EER, TARS[-1], RANKS[0]), column) for one in (report.main, *report.baselines))
    return (notice if few else "") + told + shown
