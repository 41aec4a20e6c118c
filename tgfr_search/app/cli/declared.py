"""What the command line lets a user declare of a probe and of a search, shared by `query` and `compare`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tgfr_search.errors import InputError

if TYPE_CHECKING:
    from tgfr_search.forensic.evidence import Declared

INVESTIGATION, LIST = 20, 10
"""Candidates of an investigation, as FRTE has it, and of a search that names no mode."""

FPIR = 0.01

ProbeKinds = Annotated[
    str,
    typer.Option(
        "--probe-kind",
        help="What the probe is: still, 'video frame', document; a sketch, composite or look-alike has no ratio.",
    ),
]
Processing = Annotated[
    list[str] | None,
    typer.Option(
        "--processing",
        help="A step done to the probe before; may be given several times. Beyond crop, rotate, resize and brightness "
        "there is no ratio.",
    ),
]
Generated = Annotated[
    bool, typer.Option("--generated", help="Super-resolution or another generator drew detail into the probe.")
]
CaptionOrigin = Annotated[
    str,
    typer.Option(
        "--caption-origin",
        help="Of the description: witness, 'made from the probe picture', 'made from other pictures', unknown.",
    ),
]
Reliability = Annotated[
    float, typer.Option("--reliability", help="Of the witness, 0 … 1; of several the lowest.", min=0.0, max=1.0)
]
PopulationName = Annotated[
    str, typer.Option("--population", help="Of the case, for H2; another one than was calibrated has no ratio.")
]


def declared(
    kind: str,
    processing: list[str] | None,
    generated: bool,
    origin: str,
    population: str,
    reliability: float = 0.8,
) -> Declared:
    """The declaration.

    Raises:
        InputError: A kind or an origin that there is not.
    """
    from tgfr_search.forensic.evidence import Declared
    from tgfr_search.forensic.refusals import ProbeKind
    from tgfr_search.forensic.words import Origin

    kinds, origins = [own.value for own in ProbeKind], [own.value for own in Origin]
    if kind not in kinds:
        raise InputError("--probe-kind", found=kind, expected=f"one of: {', '.join(kinds)}")
    if origin not in origins:
        raise InputError("--caption-origin", found=origin, expected=f"one of: {', '.join(origins)}")
    steps = tuple(step.strip() for step in processing or () if step.strip())
    return Declared(ProbeKind(kind), steps, generated, Origin(origin), reliability, population)


def list_of(name: str | None, top_k: int | None, fpir: float | None) -> tuple[int, float | None]:
    """Length of the list, and the rate of false alarms of an identification; None where there is no threshold.

    Raises:
        InputError: There is no such mode, or a rate without a threshold.
    """
    lengths = {None: LIST, "investigation": INVESTIGATION, "identification": INVESTIGATION}
    if name not in lengths:
        raise InputError("--mode-of-search", found=str(name), expected="investigation or identification")
    if fpir is not None and name != "identification":
        raise InputError("--fpir", found="no threshold", expected="--mode-of-search identification")
    rate = None if name != "identification" else FPIR if fpir is None else fpir
    return lengths[name] if top_k is None else top_k, rate
