"""Search an index with a probe image, a description, or both."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

from indexer import Store
from indexer.milvus import MilvusStore
from pipelines.enrol.index import IndexSummary, contract_of, detector_of, index_gallery, model_of, opened
from pipelines.search.answers.answer import Asked, Clock, answers
from pipelines.search.answers.ask import FIRST, Question, questions
from pipelines.search.evidence import Judge
from pipelines.search.open_store import open_searched
from pipelines.search.probes.checks import check_asked, check_parts
from pipelines.search.probes.clip import search_clip
from pipelines.search.probes.probe import Caption, Image, load_probe, require_english, said_lines, search_mode
from pipelines.search.probes.several import search_several
from pipelines.search.probes.witnessed import Told, as_witnesses, search_witnesses
from pipelines.search.watch.match import Watching
from tgfr_search.audit.entries import now
from tgfr_search.audit.journal import Journal, search_entry
from tgfr_search.errors import InputError
from tgfr_search.faces.choice import FaceChoice
from tgfr_search.faces.clip import is_video
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.forensic.evidence import Declared
from tgfr_search.model.checkpoint import load_model
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.probe import make_probes_of_faces
from tgfr_search.model.witnesses import Witness
from tgfr_search.types import (
    QueryMode,
    QueryResult,
)


class Gallery:
    """An index with the model that made it: the typed face of the command line.

    >>> gallery = Gallery.open("tgfr-index")
    >>> result = gallery.query("probe.jpg", caption="a young man with black hair and glasses")
    >>> result.candidates[0].subject_id

    Any number of threads may query one gallery (also by `asyncio.to_thread`): each gets the answer that it would get
    alone, from one generation of the index. A forked process may go on with it, on one processor core, where the model
    is on the CPU and the index on disk; a Milvus collection is opened again, and a CUDA device needs spawned workers.

    Attributes:
        store: The index.
        model: What encodes probes.
        finder: How probe photos become faces.
        journal: Where each search is told before it is answered; None is nowhere.
        judge: Says what scores are worth; by default with the calibration that comes with the model.
    """

    def __init__(
        self,
        store: Store | MilvusStore,
        model: FaceTextModel,
        finder: FaceFinder | None = None,
        journal: Journal | None = None,
        judge: Judge | None = None,
    ) -> None:
        self.store, self.model, self.journal = store, model, journal
        self.finder = model.find_with((finder or FaceFinder()).for_detector(detector_of(store)))
        self.judge = judge or Judge.of(model, self.finder.detector)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        model: str | Path | FaceTextModel | None = None,
        device: str = "auto",
        finder: FaceFinder | None = None,
        backend: str = "auto",
        milvus_uri: str | None = None,
        milvus_collection: str | None = None,
        journal: Journal | None = None,
        calibration: str | Path | None = None,
        cohort: str | Path | None = None,
        declared: Declared | None = None,
        fpir: float | None = None,
    ) -> Gallery:
        """Opens an index for searching.

        Args:
            path: Index directory.
            model: A loaded model, a shipped name or a checkpoint folder; None is the shipped one that made the index,
                else the default.
            device: Where probes are encoded.
            finder: How probe photos become faces.
            backend: A name of `indexer.backends.BACKENDS`, `torch`, which searches on `device`, or `milvus`: the
                collection that the index was published into.
            milvus_uri: Of `milvus`; see `pipelines.search.open_store.open_searched`.
            milvus_collection: Of `milvus`.
            journal: Where each search is told before it is answered; what it cannot be told is not answered.
            calibration: Says what scores are worth; None is the one that comes with the model, if one does.
            cohort: That it was fitted with; None is the one that comes with the model.
            declared: What the user says of the probes.
            fpir: Only candidates at or above the calibration's threshold for this rate of false alarms; None is a list
                of fixed length.

        Of an index with several spaces the one that fits the model is searched.

        Raises:
            IncompleteSpaceError: That space has no vectors of some rows yet.
            ContractMismatchError: The index was made with another model, encoder, alignment or preprocessing.
            IndexerError: There is no index, or it is damaged; or there is no such backend, or it cannot run here.
            CheckpointError: The model cannot be loaded.
        """
        if not isinstance(path, str | os.PathLike):
            raise InputError("index", found=type(path).__name__, expected="the path of an index directory")
        store = open_searched(path, backend, device=device, milvus_uri=milvus_uri, collection=milvus_collection)
        # before the model is loaded: a wrong path should be told at once
        loaded = model if isinstance(model, FaceTextModel) else load_model(model or model_of(store), device=device)
        finder = (finder or FaceFinder()).for_detector(detector_of(store))
        store = store.fitting(contract_of(loaded, finder.detector))
        given, people = (None if path is None else Path(path) for path in (calibration, cohort))
        judge = Judge.of(loaded, finder.detector, given, declared, people)
        return cls(store, loaded, finder, journal, judge if fpir is None else replace(judge, fpir=fpir))

    @classmethod
    def build(
        cls,
        source: str | Path,
        path: str | Path,
        *,
        model: str | Path | FaceTextModel | None = None,
        device: str = "auto",
        **options: Any,
    ) -> tuple[Gallery, IndexSummary]:
        """Enrols a gallery (see `pipelines.enrol.index.index_gallery` for `options`) and opens it."""
        if not isinstance(model, FaceTextModel):
            model = load_model(model or model_of(opened(Path(path))), device=device)
        options.setdefault("committed", Watching.of(Path(path), model, options.get("journal")))
        summary = index_gallery(Path(source), Path(path), model, **options)
        store = Store.open(path)
        finder = (options.get("finder") or FaceFinder()).for_detector(detector_of(store))
        store = store.fitting(contract_of(model, finder.detector))
        return cls(store, model, finder, options.get("journal")), summary

    def __len__(self) -> int:
        return len(self.store)

    def query(
        self,
        image: Image | None = None,
        *,
        caption: Caption = (),
        top_k: int = 10,
        mode: QueryMode = "auto",
        aggregate: Literal["max", "mean"] = "max",
        where: str | None = None,
        face: int | None = None,
        box: Sequence[float] | str | None = None,
        eyes: Sequence[Any] | str | None = None,
        images: Sequence[Image] | None = None,
        choices: Sequence[FaceChoice | None] | None = None,
        witnesses: Sequence[Told] | None = None,
    ) -> QueryResult:
        """Ranks the gallery's subjects for one probe.

        Args:
            image: The probe photo, in any form of `pipelines.search.probes.probe.Image`, or the path of a video file
                (see `pipelines.search.probes.clip`); None searches by description alone.
            caption: What a witness said: one text or several lines.
            top_k: Candidates returned; fewer where the gallery has fewer subjects.
            mode: `auto` and `fused` use all there is; `image` and `caption` use that alone.
            aggregate: A subject's score is its best row's, or the mean over its rows.
            where: Rank only rows for which this is true, for instance `site = 'A' and enrolled_at >= 2024-01-01`, as if
                the gallery held no others.
            face: Of a photo with several faces: the number of the one that is meant, as `probe["faces"]` has them, 1
                the largest. Of a video: of the people in it, as `probe["video"]["tracks"]` has them.
            box: Or (x, y, width, height) that holds it, in pixels of the upright photo.
            eyes: Or the centres of its eyes, the one on the image's left first, or five points: eyes, tip of the nose,
                corners of the mouth; then no detector is asked.
            witnesses: In place of `caption` several witnesses, each with a reliability from 0 to 1: see
                `tgfr_search.model.witnesses`. `description["witnesses"]` has what their words weigh.
            images: Several pictures of one unknown, in place of `image`: see `pipelines.search.probes.several`. Of
                some that give no face is told in `probe["pictures"]`.
            choices: Which face of each of `images` is meant; None is the largest.

        Raises:
            FilterError: `where` is no filter of this gallery's columns.
            InputError: Neither image nor caption, or the mode needs what is not there.
            FaceError: The photo gives no usable face.
        """
        choice = FaceChoice.of(face, box, eyes)
        check_parts(image, images, witnesses, choice, choices, said=bool(said_lines(caption)))
        if witnesses is not None and images is None:
            return self._query_witnesses(image, witnesses, Asked(mode, top_k, aggregate, where), choice)
        if images is not None:
            people = as_witnesses(witnesses) if witnesses is not None else ()
            said = [line for own in people for line in own.lines] or caption
            return self._query_pooled(images, None, said, mode, top_k, aggregate, where, choices, people)
        if is_video(image):
            return self._query_pooled(image, face, caption, mode, top_k, aggregate, where)
        (result,) = self.query_many(
            [(image, caption)], top_k=top_k, mode=mode, aggregate=aggregate, where=where, choices=[choice]
        )
        return result

    @staticmethod
    def next_question(result: QueryResult, *, first: int = FIRST) -> Question:
        """The question to the witness that would now split the first candidates best.

        See `pipelines.search.answers.ask`.

        Args:
            result: Of a query with `top_k` of at least `first`.
            first: Candidates that are split.
        """
        return questions(result, first=first)[0]

    def query_many(
        self,
        probes: Sequence[tuple[Image | None, Caption]],
        *,
        top_k: int = 10,
        mode: QueryMode = "auto",
        aggregate: Literal["max", "mean"] = "max",
        where: str | None = None,
        choices: Sequence[FaceChoice | None] | None = None,
    ) -> list[QueryResult]:
        """Ranks the gallery's subjects for each of several probes, encoded and searched as one batch.

        Args:
            probes: (image or None, caption line or lines) of each.
            top_k: As `query`.
            mode: As `query`.
            aggregate: As `query`.
            where: As `query`.
            choices: Which face of each probe is meant; None is the largest of each.

        Returns:
            One result a probe, in order; timings are the batch's, shared evenly.

        Raises:
            InputError, FaceError, FilterError: As `query`; the batch has no partial result.
            AuditError: The journal refuses an entry.
        """
        check_asked(mode, top_k, where)
        for probe in probes:
            if not isinstance(probe, tuple | list) or len(probe) != 2:
                raise InputError("probes", found=type(probe).__name__, expected="pairs (image or None, caption)")
        if not probes:
            return []
        clock, started = Clock(), now()
        lines = [said_lines(caption) for _, caption in probes]
        modes = [search_mode(mode, *probe, own) for probe, own in zip(probes, lines, strict=True)]
        for own, used in zip(lines, modes, strict=True):
            if used != "image":
                require_english(own)
        use_image = [m in ("image", "fused") for m in modes]
        photos = [
            load_probe(self.finder, image) if use and image is not None else None
            for (image, _), use in zip(probes, use_image, strict=True)
        ]
        store = self.store.pinned().load()  # a commit through the same store must not come between hits and rows
        clock.lap("load")
        meant = [None] * len(probes) if choices is None else choices
        faces = [self.finder.cut(photo, which) if photo else None for photo, which in zip(photos, meant, strict=True)]
        clock.lap("detect")
        pixels = [None if face is None else face.pixels for face in faces]
        made = make_probes_of_faces(self.model, pixels, lines, modes)
        asked = Asked(mode, int(top_k), aggregate, where)
        given = [(said,) if isinstance(said, str) else tuple(said or ()) for _, said in probes]
        found = answers(store, self.model, made, faces, lines, given, asked, clock, self.judge.typical)
        results = self.judge.results(store, found, lines, aggregate, made)
        self._tell(results, lines, asked, started, len(store))
        return results

    def _query_pooled(
        self,
        probe: Sequence[Image] | str | os.PathLike[str],
        number: int | None,
        caption: Caption,
        mode: str,
        top_k: int,
        aggregate: Literal["max", "mean"],
        where: str | None,
        choices: Sequence[FaceChoice | None] | None = None,
        witnesses: Sequence[Witness] = (),
    ) -> QueryResult:
        """The answer to several images, or to one person in a video."""
        check_asked(mode, top_k, where)
        started, lines = now(), said_lines(caption)
        given = (caption,) if isinstance(caption, str) else tuple(caption or ())
        asked, parts = Asked(mode, int(top_k), aggregate, where), (self.store, self.model, self.finder)
        if is_video(probe):
            found, rows = search_clip(*parts, probe, number, lines, given, asked, self.judge.typical)
        else:
            pictures = cast("Sequence[Image]", probe)
            typical = None if witnesses else self.judge.typical
            found, rows = search_several(*parts, pictures, lines, given, asked, typical, choices, witnesses)
        (result,) = self.judge.results(self.store, [found], [lines], "several")
        self._tell([result], [lines], asked, started, rows)
        return result

    def _query_witnesses(
        self, image: Image | None, witnesses: Sequence[Told], asked: Asked, choice: FaceChoice | None
    ) -> QueryResult:
        check_asked(asked.mode, asked.top_k, asked.where)
        started = now()
        found, lines, rows = search_witnesses(self.store, self.model, self.finder, image, witnesses, asked, choice)
        # Words of which only a part counts were never calibrated: no ratio is told.
        (result,) = self.judge.results(self.store, [found], [lines], "several")
        self._tell([result], [lines], asked, started, rows)
        return result

    def _tell(
        self,
        results: Sequence[QueryResult],
        lines: Sequence[tuple[str, ...]],
        asked: Asked,
        started: str,
        rows: int,
    ) -> None:
        """Tells the journal of answers, before they are given."""
        for result, own in zip(results, lines, strict=True) if self.journal is not None else ():
            assert self.journal is not None
            told = search_entry(self.journal, result, lines=own, started=started, list_length=asked.top_k, rows=rows)
            self.journal.record(told)
