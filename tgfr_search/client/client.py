"""What the service can be asked, by name and with types; types come from its own description (`answers.py`)."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from tgfr_search.client.answers import (
    CasePicture,
    CaseWitness,
    Deleted,
    GalleryTold,
    JobPhoto,
    JobTold,
    Named,
    Ready,
    RowsTold,
    RowTold,
    SearchAnswer,
)
from tgfr_search.client.wire import TRIES, ServiceError, Wire, as_file

API = "/api/v1"
ENDED = ("done", "failed", "cancelled")
Photo = Path | str | bytes
"""The path of a file, or its bytes."""


class Client:
    """A service, asked as one account.

    Args:
        base: Address, as https://faces.example:8443.
        token: Of `tgfr-search token NAME`.
        timeout_s: For one answer.
        ca: Certificate of an authority of one's own, PEM.
        tries: How often a request is sent, each time with the same key, until there is an answer.
    """

    def __init__(
        self, base: str, token: str, *, timeout_s: float = 120.0, ca: Path | None = None, tries: int = TRIES
    ) -> None:
        context = None if ca is None else ssl.create_default_context(cafile=str(ca))
        self._wire = Wire(base, token, timeout_s, context, tries)

    def ready(self) -> Ready:
        """Whether searches are answered."""
        return cast(Ready, self._wire.json("GET", "/readyz"))

    def galleries(self) -> list[GalleryTold]:
        """The galleries that are served."""
        return cast(list[GalleryTold], self._wire.json("GET", f"{API}/galleries"))

    def search(
        self,
        *,
        purpose: str,
        basis: str,
        photo: Photo | None = None,
        captions: Sequence[str] = (),
        top_k: int = 10,
        where: str = "",
        index: str = "",
        population: str = "",
    ) -> SearchAnswer:
        """Ranks a gallery's subjects, outside a case.

        Args:
            purpose: Why faces are searched; the log keeps a commitment to it.
            basis: On which legal basis.
            photo: Of the unknown.
            captions: What was said, a line each.
            top_k: Candidates.
            where: Search only rows of which this is true.
            index: Gallery; the first where none is named.
            population: Who might be in the photo; none: the calibration's.

        Raises:
            ServiceError: It is refused.
        """
        fields = [("purpose", purpose), ("basis", basis), ("top_k", str(top_k)), ("where", where), ("index", index)]
        fields += [("population", population)]
        fields += [("caption", line) for line in captions]
        files = [] if photo is None else [("photo", as_file(photo))]
        return cast(SearchAnswer, self._wire.form(f"{API}/search", [each for each in fields if each[1]], files))

    def compare(
        self,
        probe: Photo,
        record: Photo,
        *,
        purpose: str,
        basis: str,
        captions: Sequence[str] = (),
        index: str = "",
        population: str = "",
    ) -> dict[str, Any]:
        """Compares one picture with one: the score, and what it is worth.

        Args:
            probe: The questioned picture.
            record: The picture of a known person, the better one.
            purpose: Why faces are compared.
            basis: On which legal basis.
            captions: What a witness said of the person in `probe`, a line each.
            index: Gallery whose model compares; the first where none is named.
            population: Who might be in `probe`; none: the calibration's.

        Raises:
            ServiceError: It is refused.
        """
        fields = [("purpose", purpose), ("basis", basis), ("index", index), ("population", population)]
        fields += [("caption", line) for line in captions]
        files = [("probe", as_file(probe)), ("record", as_file(record))]
        told = self._wire.form(f"{API}/compare", [each for each in fields if each[1]], files)
        return cast("dict[str, Any]", told)

    def new_case(self, *, purpose: str, basis: str, fields: Mapping[str, str] | None = None) -> str:
        """Starts a case; returns its name."""
        body = {"purpose": purpose, "basis": basis, "fields": dict(fields or {})}
        return cast(Named, self._wire.json("POST", f"{API}/cases", body))["name"]

    def case(self, case: str) -> dict[str, Any]:
        """What a case holds."""
        return cast("dict[str, Any]", self._wire.json("GET", f"{API}/cases/{case}"))

    def add_evidence(self, case: str, photo: Photo, *, kind: str = "still") -> str:
        """Receives a file of evidence; returns its name in the case."""
        made = self._wire.form(f"{API}/cases/{case}/evidence", [("kind", kind)], [("file", as_file(photo))])
        return cast(Named, made)["name"]

    def search_case(
        self,
        case: str,
        *,
        pictures: Sequence[CasePicture] = (),
        lines: Sequence[str] = (),
        witnesses: Sequence[CaseWitness] = (),
        origin: str = "unknown",
        where: str | None = None,
        index: str = "",
        top_k: int = 20,
        population: str = "",
    ) -> str:
        """Searches in a case; returns the search's name: candidates are for the blind review."""
        body: dict[str, Any] = {"lines": list(lines), "witnesses": list(witnesses), "origin": origin, "where": where}
        body |= {"index": index, "top_k": top_k, "population": population, "more": list(pictures[1:])}
        body |= dict(pictures[0]) if pictures else {}
        return cast(Named, self._wire.json("POST", f"{API}/cases/{case}/searches", body))["name"]

    def review(self, case: str, search: str) -> dict[str, Any]:
        """All of a search that this account may see now."""
        return cast("dict[str, Any]", self._wire.json("GET", f"{API}/cases/{case}/searches/{search}"))

    def act(self, case: str, search: str, act: str, **given: Any) -> dict[str, Any]:
        """One act of a review: begin, analyse, decide, unmask, revise, conclude or release, with what it takes."""
        path = f"{API}/cases/{case}/searches/{search}/review"
        return cast("dict[str, Any]", self._wire.json("POST", path, {"act": act, **given}))

    def report(self, case: str, *, language: str = "en", form: str = "html") -> bytes:
        """The report of a case of which everything is released: `html` or `pdf`, in `en` or `de`.

        Raises:
            ServiceError: It is not all released.
        """
        return self._wire.file(f"{API}/cases/{case}/report", {"language": language, "form": form})

    def enrol(
        self,
        gallery: str,
        photos: Sequence[Photo],
        *,
        subject: str = "",
        captions: Sequence[str] = (),
        quarantined: str = "",
    ) -> JobTold:
        """Sends photos of a subject, or ZIPs of gallery folders; a job enrols them.

        With `quarantined` it is the one photo that is in the gallery's quarantine under this name.
        """
        fields = [(name, each) for name, each in (("subject", subject), ("quarantined", quarantined)) if each]
        fields += [("caption", line) for line in captions]
        files = [("photos", as_file(photo)) for photo in photos]
        return cast(JobTold, self._wire.form(f"{API}/galleries/{gallery}/jobs", fields, files))

    def job(self, job: str) -> JobTold:
        """How far a job is."""
        return cast(JobTold, self._wire.json("GET", f"{API}/jobs/{job}"))

    def wait(self, job: str, *, timeout_s: float = 3600.0, every_s: float = 1.0) -> JobTold:
        """Waits until a job has ended.

        Raises:
            ServiceError: It has not, in that time.
        """
        until = time.monotonic() + timeout_s
        while (told := self.job(job))["state"] not in ENDED:
            if time.monotonic() > until:
                raise ServiceError(f"job {job}", detail=f"{told['done']} of {told['total']} after {timeout_s:g} s")
            time.sleep(every_s)
        return told

    def job_photos(self, job: str, *, state: str = "") -> list[JobPhoto]:
        """The photos of a job; `refused` is its quarantine."""
        query = {"state": state} if state else None
        return cast(list[JobPhoto], self._wire.json("GET", f"{API}/jobs/{job}/photos", query=query))

    def rows(self, gallery: str, *, subject: str = "") -> Iterator[RowTold]:
        """Rows of a gallery, page after page."""
        cursor = ""
        while True:
            query = {name: value for name, value in (("subject", subject), ("cursor", cursor)) if value}
            told = cast(RowsTold, self._wire.json("GET", f"{API}/galleries/{gallery}/rows", query=query))
            yield from told["rows"]
            cursor = told.get("next", "")
            if not cursor:
                return

    def delete(self, gallery: str, *, subject: str = "", rows: Sequence[int] = ()) -> Deleted:
        """Deletes a subject, or rows."""
        query: dict[str, Any] = {"subject": subject} if subject else {"row": list(rows)}
        return cast(Deleted, self._wire.json("DELETE", f"{API}/galleries/{gallery}/rows", query=query))
