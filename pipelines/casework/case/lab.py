"""What a laboratory wants of every case: a TOML file, whose rules are kept with each case opened under them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from indexer.errors import FilterError
from indexer.filters import parse
from tgfr_search.errors import InputError

FOIL_WHERE, DECLARED = "foil_where of the laboratory's rules", "a filter for people who are known to be strangers"


@dataclass(frozen=True)
class Lab:
    """Rules of a laboratory.

    Attributes:
        required: Names of fields that a case must have beside purpose and basis: a reference, who authorised it, …
        bases: Legal bases that there are; any text where none is named.
        declared_origin: Whether a description must say where it comes from.
        foils: How many known strangers stand among the candidates of a blind review, for each candidate, 0 to 1; none
            at 0. See `pipelines.casework.searches.foils`.
        foil_where: Which rows of a gallery the laboratory declares to be strangers, as a filter of `query --where`. No
            others are ever foils: of somebody who only ranks low nobody knows that it is not the person sought.
    """

    required: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    declared_origin: bool = False
    foils: float = 0.0
    foil_where: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.foils <= 1:
            raise InputError("foils", found=f"{self.foils:g}", expected="foils for each candidate, from 0 to 1")

    def check_foils(self) -> None:
        """Refuses rules by which foils are to be brought and nobody is declared to be a stranger.

        A case that was opened under such rules is worked on, without foils.

        Raises:
            InputError: `foil_where` is empty, or no filter.
        """
        if not self.foils:
            return
        do = "mark such people (`update --set role=staff`), then foil_where = \"role = 'staff'\"; or foils = 0"
        if not self.foil_where.strip():
            raise InputError(FOIL_WHERE, found="nothing", expected=DECLARED, do=do)
        try:
            parse(self.foil_where)
        except FilterError as error:
            raise InputError(FOIL_WHERE, found=str(error), expected=DECLARED, do=do) from error

    def check(self, basis: str, fields: Mapping[str, str]) -> None:
        """Refuses a new case that does not meet the rules.

        Raises:
            InputError: A field is missing, the basis is none of the laboratory's, or as `check_foils`.
        """
        self.check_foils()
        if missing := [name for name in self.required if not fields.get(name, "").strip()]:
            told = " and ".join(missing)
            do = " ".join(f"--field {name}=…" for name in missing)
            raise InputError("case new", found=f"no {told}", expected="what the laboratory requires of a case", do=do)
        if self.bases and basis not in self.bases:
            raise InputError("--basis", found=basis, expected=f"one of: {'; '.join(self.bases)}")

    def check_origin(self, origin: str | None) -> None:
        """Refuses a description of which nobody says where it comes from.

        Args:
            origin: Of the description; None where there is none.

        Raises:
            InputError: The laboratory wants to know it.
        """
        if self.declared_origin and origin == "unknown":
            raise InputError(
                "--origin",
                found="unknown",
                expected="where the description comes from, as the laboratory requires",
                do="--origin witness, made from the probe picture, or made from other pictures",
            )
