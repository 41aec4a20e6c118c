"""A video file as a probe: who is in it, and a search with the best pictures of the one who is meant.

A bounded number of frames is looked at. Their faces become tracks (`pipelines.search.probes.tracks`); of the track
that is meant the best quarter by predicted quality is pooled as several pictures of one unknown are.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from indexer import Store
from indexer.milvus import MilvusStore
from pipelines.search.answers.answer import Asked, Clock, answers
from pipelines.search.answers.typical import Typical
from pipelines.search.probes.probe import mode_of_pictures
from pipelines.search.probes.several import LEAST_WEIGHT, pooled, strangers
from pipelines.search.probes.tracks import Ints, Limits, find_tracks
from tgfr_search.errors import FaceError, Reason
from tgfr_search.faces.clip import Clip, Frame
from tgfr_search.faces.finder import FaceFinder
from tgfr_search.model.loaded import FaceTextModel
from tgfr_search.model.probe import heard_lines, weigh_faces
from tgfr_search.pages.sentences import note
from tgfr_search.types import AlignedFace, FloatArray, Note, QueryResult, Templates

MOST_FACES = 12
"""Faces of one frame that are followed, the largest."""
NEAR, FAR = 0.9, 0.999
"""Share of pairs of strangers of the gallery that two faces must exceed in likeness to be one person: where one lies
over the other in neighbouring frames, and elsewhere. Not fitted: there is no video with known people to fit them on."""
BEST_SHARE, LEAST = 0.25, 3
"""Share of a track's faces that is pooled, and at least how many of them."""
BATCH = 32


@dataclass(frozen=True)
class _Seen:
    """What was seen in a clip: `frames` that were looked at, and for each of N faces its place among them."""

    frames: list[tuple[int, float, str, int]]
    faces: list[AlignedFace]
    places: Ints


def search_clip(
    store: Store | MilvusStore,
    model: FaceTextModel,
    finder: FaceFinder,
    path: str | os.PathLike[str],
    number: int | None,
    lines: tuple[str, ...],
    given: tuple[str, ...],
    asked: Asked,
    typical: Typical | None = None,
) -> tuple[QueryResult, int]:
    """The answer to a clip, and the rows of the index.

    Args:
        store: The index.
        model: What made it.
        finder: How photos become faces.
        path: Of the video file.
        number: Which track is meant, 1 the longest; None is that.
        lines: What is said of the person.
        given: The same as it was given.
        asked: How is searched.
        typical: Scores the head of the list again.

    Raises:
        FaceError: The file is no video that can be read, shows no face, or has no such track.
        InputError: A search by description alone.
    """
    mode = mode_of_pictures(asked.mode, path, lines, "a video")
    clock = Clock()
    with Clip(path, finder.options.max_pixels) as clip:
        seen = _look(clip, finder)
        told = {"frames": clip.frames, "frames_per_second": round(clip.rate, 3)}
        cut_off = [note("clip_cut_off", frames=clip.frames, last=clip.last + 1)]
        notes, sha256 = cut_off if clip.cut_off else [], clip.sha256
    pinned = store.pinned().load()
    clock.lap("detect")
    said = heard_lines(model, [lines if mode == "fused" else ()], [mode])
    templates, quality = _embedded(model, seen.faces, said)
    layout = model.tgfr.layout
    limits, more = _limits(pinned, layout[0][0])
    boxes = np.array([face.box or (0, 0, *face.pixels.shape[:2]) for face in seen.faces], np.float64)
    tracks = find_tracks(seen.places, boxes, templates.blocks[layout[0][0]], limits)
    chosen = _meant(tracks, number)
    used = _best(tracks[chosen], quality)
    whole = pooled(Templates({name: block[used] for name, block in templates.blocks.items()}), quality[used])
    made = weigh_faces(model, whole, quality[used[:1]], lines, [mode])
    (result,) = answers(pinned, model, made, [seen.faces[used[0]]], [lines], [given], asked, clock, typical)
    people = [_track(track, seen, quality, at + 1, at == chosen) for at, track in enumerate(tracks)]
    weights = np.maximum(quality[used], LEAST_WEIGHT)
    pictures = [
        {**_picture(face, seen, quality), "weight": round(float(weight), 4)}
        for face, weight in sorted(zip(used.tolist(), (weights / weights.sum()).tolist(), strict=True))
    ]
    frames = [{"frame": n, "seconds": s, "sha256": digest, "faces": count} for n, s, digest, count in seen.frames]
    video = {**told, "looked_at": frames, "tracks": people, "used": pictures}
    probe = {**result.probe, "sha256": sha256, "faces": [], "video": video}
    notes += [*more, *_several_people(people, number), *result.notes]
    return replace(result, probe=probe, notes=tuple(notes)), len(pinned)


def _look(clip: Clip, finder: FaceFinder) -> _Seen:
    frames, faces, places = list[tuple[int, float, str, int]](), list[AlignedFace](), list[int]()
    first: FaceError | None = None
    for at, frame in enumerate(clip.spread()):
        own = _faces(frame, finder)
        if isinstance(own, FaceError):
            first, own = first or own, []
        frames.append((frame.number, frame.seconds, frame.photo.sha256, len(own)))
        faces += own
        places += [at] * len(own)
    if not frames:
        detail = f"{clip.path.name!r} has no frame that can be decoded"
        raise FaceError(Reason.UNDECODABLE, detail, do="play it and give still pictures of it")
    if first is not None and not faces:
        detail = f"none of {len(frames)} frames of {clip.path.name!r} gives a face; the first: {first.detail}"
        raise FaceError(first.reason, detail, do="give a still picture with --box or --eyes")
    return _Seen(frames, faces, np.array(places, np.int64))


def _faces(frame: Frame, finder: FaceFinder) -> list[AlignedFace] | FaceError:
    try:
        return finder.cut_all(frame.photo)[:MOST_FACES]
    except FaceError as error:
        return error


def _embedded(
    model: FaceTextModel, faces: Sequence[AlignedFace], said: list[tuple[str, ...]]
) -> tuple[Templates, FloatArray]:
    """Templates of N faces, each with what is said, and their predicted quality [N]."""
    parts = []
    for start in range(0, len(faces), BATCH):
        batch = faces[start : start + BATCH]
        features = model.face_encoder.encode(np.stack([face.pixels for face in batch]))
        parts.append(model.tgfr.embed(features, said * len(batch)))
    return Templates.concat([part.templates for part in parts]), np.concatenate([part.quality for part in parts])


def _limits(store: Store | MilvusStore, block: str) -> tuple[Limits, list[Note]]:
    """How alike faces of one person are, told by the strangers of the gallery."""
    apart = strangers(store, block)
    if apart is None:
        return Limits(near=-1.0, far=2.0), [note("few_strangers")]
    near, far = np.quantile(apart, (NEAR, FAR))
    return Limits(float(near), float(far)), []


def _meant(tracks: Sequence[Ints], number: int | None) -> int:
    if (number or 1) > len(tracks):
        detail = f"face {number} is meant, of {len(tracks)} people in the clip"
        raise FaceError(Reason.NO_SUCH_FACE, detail, do=f"--face 1 to {len(tracks)}, the one in most frames first")
    return (number or 1) - 1


def _best(track: Ints, quality: FloatArray) -> Ints:
    """The faces of a track that are pooled, the best first."""
    count = max(LEAST, int(np.ceil(BEST_SHARE * len(track))))
    return track[np.argsort(-quality[track], kind="stable")][:count]


def _picture(face: int, seen: _Seen, quality: FloatArray) -> dict[str, Any]:
    number, seconds, digest, _ = seen.frames[int(seen.places[face])]
    place = {"frame": number, "seconds": seconds, "sha256": digest}
    return {**place, "box": seen.faces[face].box, "quality": round(float(quality[face]), 4)}


def _track(track: Ints, seen: _Seen, quality: FloatArray, number: int, chosen: bool) -> dict[str, Any]:
    first, last = (seen.frames[int(seen.places[face])][1] for face in (track[0], track[-1]))
    best = _picture(int(_best(track, quality)[0]), seen, quality)
    return {
        "number": number, "frames": len(track), "first_seconds": first, "last_seconds": last, "best": best,
        "chosen": chosen,
    }  # fmt: skip


def _several_people(people: Sequence[dict[str, Any]], number: int | None) -> list[Note]:
    if len(people) < 2:
        return []
    chosen = next(one for one in people if one["chosen"])
    name = "people_in_clip_most" if number is None else "people_in_clip_asked"
    return [note(name, people=len(people), number=chosen["number"], frames=chosen["frames"])]
