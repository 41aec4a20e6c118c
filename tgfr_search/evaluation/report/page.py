"""What the report page says, part by part; `report.html` is how it looks: no script, no network, everything inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from tgfr_search.evaluation.report import evidence
from tgfr_search.evaluation.report.answer import answer, facts, warnings
from tgfr_search.evaluation.report.foot import examples, ladder, origins, provenance, searched_by
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
from tgfr_search.evaluation.report.tables import Cell, Row, Table, differences, figures, groups, interval
from tgfr_search.evaluation.report.words import CAVEATS, PROTOCOL, REGIMES, TOLD
from tgfr_search.pages import render

SUMMARY = (RANKS[0], EER, TARS[-1], FNIRS[-1])


@dataclass(frozen=True, slots=True)
class Drawn:
    """A plot as the page has it: `keys` are (name, colour) where there are several, `panels` (title, SVG)."""

    title: str
    keys: Sequence[tuple[str, str]]
    panels: Sequence[tuple[str, Markup]]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: what it says first, a notice, tables, a note on them, plots."""

    anchor: str
    title: str
    told: str = ""
    notice: str = ""
    tables: Sequence[Table] = ()
    note: str = ""
    plots: Sequence[Drawn] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.tables or self.plots or self.told)


def page(report: Report, pictures: Mapping[str, bytes]) -> str:
    """The whole page.

    Args:
        report: What was measured.
        pictures: File name → JPEG of the examples' faces; one that is not there is told as such.
    """
    sections = [section for section in _sections(report) if section]
    shown = examples(report, pictures)
    anchors = [(section.anchor, section.title) for section in sections]
    anchors += [("examples", "Examples")] if shown else []
    anchors += [("protocol", "Protocol and caveats"), ("provenance", "Provenance")]
    return render(
        "report.html",
        title=_title(report),
        facts=facts(report),
        notice=report.tree["notice"],
        anchors=anchors,
        answer=answer(report),
        warnings=warnings(report),
        sections=sections,
        examples=shown,
        searched_by=searched_by(report),
        protocol=PROTOCOL,
        ladder=ladder(report),
        caveats=CAVEATS,
        provenance=provenance(report),
        origins=origins(report),
    )


def _title(report: Report) -> str:
    options = report.tree["options"]
    split = f", {options['split']}" if options["split"] else ""
    return f"Face search measured on {Path(options['probes']).name}{split}"


def _sections(report: Report) -> list[Section]:
    series, drawn = report.headline, {plot.name: plot for plot in plots(report)}
    pairs = figures(report, series, VERIFICATION, "All pairs of images", counts=("n_genuine", "n_impostor"))
    counts = ("n_probes", "n_gallery")
    closed = figures(report, series, IDENTIFICATION, "Everybody searched for is enrolled", counts=counts)
    opened = figures(report, series, OPEN_SET, "", counts=counts)
    scores = [_drawn(plot) for name, plot in drawn.items() if name.startswith("scores-")]
    return [
        Section("ladder", "Quality ladder", plots=_some(drawn, ladder="")),
        Section(
            "verification", "Verification", tables=[pairs], note=TOLD["marks"],
            plots=_some(drawn, roc="ROC", det="DET"),
        ),
        Section("identification", "Identification", tables=[closed], plots=_some(drawn, cmc="CMC")),
        Section("open-set", "Open set", told=TOLD["open-set"], tables=[opened]),
        Section(
            "evidence", "What a score is worth", told=evidence.told(report), tables=evidence.tables(report),
            plots=_some(drawn, tippett="Tippett curves"),
        ),
        Section("captions", "Caption regimes", tables=_captions(report), plots=_some(drawn, captions="")),
        Section("differences", "Paired differences", tables=_differences(report)),
        Section("scores", "Score distributions", told=TOLD["scores"] if scores else "", plots=scores),
        _enrolment(report, drawn),
        _end_to_end(report),
        _groups(report),
    ]  # fmt: skip


def _drawn(plot: Plot, title: str = "") -> Drawn:
    panels = [(panel.title, Markup(inline(panel))) for panel in plot.panels]
    return Drawn(title, plot.keys if len(plot.keys) > 1 else (), panels)


def _some(drawn: Mapping[str, Plot], **titles: str) -> list[Drawn]:
    """Those plots that there are points for."""
    return [_drawn(drawn[name], title) for name, title in titles.items() if name in drawn]


def _captions(report: Report) -> list[Table]:
    absent, shared = report.tree["absent_captions"], report.tree["shared_lines"]
    rows = []
    for regime in dict.fromkeys(regime for _, regime in report.measured):
        same = shared.get(regime)
        both = f"{same['genuine']:,} genuine, {same['impostor']:,} impostor" if same else ""
        said = Cell(REGIMES.get(regime, ""), wraps=True)
        rows.append(Row([Cell(regime, head=True), said, Cell(f"{absent.get(regime, 0):,}"), Cell(both)]))
    heads = ["regime", "what is said of the probe", "probes without words", "pairs with a line in common"]
    several = [one for one in report.measured if sum(other[0] == one[0] for other in report.measured) > 1]
    own_rows = [figures(report, several, SUMMARY, "Every regime on its own row")] if several else []
    return [Table("", heads, rows), *own_rows]


def _differences(report: Report) -> list[Table]:
    out = []
    for name, _ in report.baselines:
        rows = [one for one in report.measured if one[0] not in (name, "frozen")]
        caption = f"Less {name}, on the same pairs and resamples"
        if rows:
            out.append(differences(report, rows, (RANKS[0], EER, *TARS, FNIRS[-1]), name, caption))
    return out


def _enrolment(report: Report, drawn: Mapping[str, Plot]) -> Section:
    records: dict[str, Any] = {level: report.get(("frozen", "none"), level, FTE) for level in report.levels}
    if None in records.values():
        return Section("enrolment", "Failure to enrol", told=TOLD["no-enrolment"])
    rows = []
    for level, record in records.items():
        none = Cell(f"– {record['reason'] or ''}")
        shown = none if record["value"] is None else interval(record["value"], record["low"], record["high"])
        rows.append(Row([Cell(spoken(level), head=True), shown, Cell(str(record["n_probes"] or ""))]))
    table = Table("", ["level", "no face, %", "photos"], rows)
    return Section(
        "enrolment", "Failure to enrol", told=TOLD["enrolment"], tables=[table], plots=_some(drawn, enrolment="")
    )


def _end_to_end(report: Report) -> Section:
    """Figures on degraded whole photos of the systems that look at photos."""
    first = report.levels[0]
    series = [one for one in report.headline if report.get(one, first, RANKS[0], whole=True) is not None]
    if not series:
        return Section("end-to-end", "End to end", told=TOLD["no-end-to-end"])
    metrics, counts = (FNIRS[-1], *TARS, *RANKS), ("n_probes", "n_gallery")
    table = figures(report, series, metrics, "", counts=counts, whole=True)
    return Section("end-to-end", "End to end", told=TOLD["end-to-end"], tables=[table])


def _groups(report: Report) -> Section:
    column = report.tree["options"]["group_by"]
    if not column:
        return Section("groups", "Groups of people")
    few = sorted({r["group"] for r in report.tree["results"] if r["group"] and "fewer than" in (r["reason"] or "")})
    notice = TOLD["few"].format(", ".join(few)) if few else ""
    shown = [groups(report, one, (EER, TARS[-1], RANKS[0]), column) for one in (report.main, *report.baselines)]
    return Section("groups", "Groups of people", told=TOLD["groups"], notice=notice, tables=shown)
