"""What a laboratory wants of every case: a TOML file, whose rules are kept with each case opened under them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tgfr_search.errors import InputError


@dataclass(frozen=True)
class Lab:
    """Rules of a laboratory.

    Attributes:
        required: Names of fields that a case must have beside purpose and basis: a reference, who authorised it, …
        bases: Legal bases that there are; any text where none is named.
        declared_origin: Whether a description must say where it comes from.
        foils: How many known strangers stand among the candidates of a blind review, for each candidate, 0 to 1; none
            at 0. See `pipelines.casework.searches.foils`.
        foil_where: Which rows of a gallery are known to be strangers, as a filter of `query --where`; without one foils
            are people who rank far below the list.
    """

    required: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    declared_origin: bool = False
    foils: float = 0.0
    foil_where: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.foils <= 1:
            raise InputError("foils", found=f"{self.foils:g}", expected="foils for each candidate, from 0 to 1")

    def check(self, basis: str, fields: Mapping[str, str]) -> None:
        """Refuses a new case that does not meet the rules.

        Raises:
            InputError: A field is missing, or the basis is none of the laboratory's.
        """
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
