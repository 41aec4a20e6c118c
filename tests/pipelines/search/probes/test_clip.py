"""A video as a probe: people who do not exist, in clips made here; who is in it, what is pooled, what is refused."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from pipelines.search.gallery import Gallery
from pipelines.search.probes import tracks
from pipelines.search.probes.tracks import Limits, find_tracks
from tgfr_search.app.cli.main import app
from tgfr_search.errors import FaceError, InputError, Reason
from tgfr_search.faces import clip as clips
from tgfr_search.faces.clip import Clip, is_video
from tgfr_search.model.loaded import FaceTextModel

WIDTH, HEIGHT, RATE = 480, 240, 10
Faces = Sequence[tuple[int, int, int]]
"""(person, x, y) of each face of a frame."""


@pytest.fixture
def gallery(index: Path, model: FaceTextModel) -> Gallery:
    return Gallery.open(index, model=model)


@pytest.fixture
def film(demo: Path, tmp_path: Path) -> Callable[..., Path]:
    def make(frames: Sequence[Faces], name: str = "clip.avi", blurred: Sequence[int] = ()) -> Path:
        writer = cv2.VideoWriter(str(tmp_path / name), cv2.VideoWriter.fourcc(*"MJPG"), RATE, (WIDTH, HEIGHT))
        assert writer.isOpened()
        for number, faces in enumerate(frames):
            picture = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
            for person, x, y in faces:
                view = sorted((demo / f"gallery/person{person:04d}").glob("*.png"))[number % 2]
                face = np.asarray(Image.open(view).convert("RGB").resize((160, 160)))
                picture[y : y + 160, x : x + 160] = cv2.GaussianBlur(face, (0, 0), 5) if number in blurred else face
            writer.write(picture[:, :, ::-1].copy())
        writer.release()
        return tmp_path / name

    return make


def alone(person: int, count: int, start: int = 10) -> list[Faces]:
    return [[(person, start + 4 * at, 40)] for at in range(count)]


def test_the_best_quarter_of_the_frames_is_pooled_and_every_frame_has_its_digest(
    gallery: Gallery, film: Callable[..., Path]
) -> None:
    path = film(alone(3, 16), blurred=range(0, 12))
    result = gallery.query(path, top_k=3)
    assert result.candidates[0].subject_id == "person0003"
    assert result.probe["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    video = result.probe["video"]
    assert (video["frames"], video["frames_per_second"], len(video["looked_at"])) == (16, RATE, 16)
    (track,) = video["tracks"]
    assert (track["number"], track["chosen"], track["first_seconds"], track["last_seconds"]) == (1, True, 0.0, 1.5)
    assert [each["frame"] for each in video["used"]] == [12, 13, 14, 15], "the sharp ones"
    assert sum(each["weight"] for each in video["used"]) == pytest.approx(1, abs=1e-3)
    with Clip(path, 10**8) as clip:
        pixels = {frame.number: frame.photo.pixels for frame in clip.spread()}
    for each in video["looked_at"]:
        assert each["sha256"] == hashlib.sha256(pixels[each["frame"]].tobytes()).hexdigest()
    assert result.probe["quality"]["predicted"] == max(each["quality"] for each in video["used"])
    assert all(hit.lr is None or hit.lr["log10"] is None for hit in result.candidates), "no calibration for pooled ones"
    json.dumps(result.as_dict())


def test_of_two_people_the_one_in_most_frames_is_meant_unless_said_otherwise(
    gallery: Gallery, film: Callable[..., Path], tmp_path: Path
) -> None:
    """The second one is there from the fifth frame on, and in the last frames where the first one stood."""
    both: list[Faces] = [[(5, 20, 40)]] * 4 + [[(5, 20, 40), (7, 300, 40)]] * 8 + [[(7, 20, 40)]] * 2
    path = film(both)
    first = gallery.query(path, top_k=1)
    assert [(t["frames"], t["chosen"]) for t in first.probe["video"]["tracks"]] == [(12, True), (10, False)]
    assert first.candidates[0].subject_id == "person0005"
    assert any("2 people" in note and "in most frames" in note for note in first.notes)
    other = gallery.query(path, top_k=1, face=2)
    assert other.candidates[0].subject_id == "person0007"
    with pytest.raises(FaceError, match="--face 1 to 2") as refused:
        gallery.query(path, face=3)
    assert refused.value.reason == Reason.NO_SUCH_FACE


def test_the_command_lists_people_and_shows_them(index: Path, film: Callable[..., Path], tmp_path: Path) -> None:
    path = film([[(5, 20, 40), (7, 300, 40)]] * 3 + [[(7, 300, 40)]])
    run, common = CliRunner(), ["--index", str(index)]
    done = run.invoke(app, ["query", str(path), *common, "--faces", str(tmp_path / "people.png"), "--top-k", "1"])
    assert done.exit_code == 0, done.output
    assert "face 1: in 4 of the frames looked at, 0.0–0.3 s, searched with" in done.output
    assert "face 2: in 3 of the frames looked at" in done.output
    picture = Image.open(tmp_path / "people.png")
    assert picture.size == (400, 200)
    assert np.asarray(picture)[60:140, 60:140].std() > 15
    assert np.asarray(picture)[60:140, 260:340].std() > 15
    told = run.invoke(app, ["query", str(path), *common, "--face", "2", "--json", "--sheet", str(tmp_path / "s.html")])
    assert json.loads(told.stdout)["candidates"][0]["subject_id"] == "person0005"
    for option in (["--box", "1,1,9,9"], ["--eyes", "1,1,9,9"], ["--explain", "1"], ["--mode", "caption"]):
        refused = run.invoke(app, ["query", str(path), *common, "--caption", "a man", *option])
        assert isinstance(refused.exception, InputError), option


def test_what_is_no_video_or_shows_nobody_is_told(gallery: Gallery, film: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no film")
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "list.mp4").write_text(f"ffconcat version 1.0\nfile '{film(alone(3, 2), 'inner.avi')}'\n")
    cases = [
        ("text.mp4", Reason.UNDECODABLE), ("empty.mp4", Reason.EMPTY_FILE), ("folder.mp4", Reason.IO_ERROR),
        ("none.mp4", Reason.MISSING_IMAGE), ("list.mp4", Reason.UNDECODABLE),
    ]  # fmt: skip
    for name, reason in cases:
        with pytest.raises(FaceError) as refused:
            gallery.query(tmp_path / name)
        assert refused.value.reason == reason, name
    with pytest.raises(FaceError, match=r"none of 5 frames of 'wall\.avi' gives a face") as nobody:
        gallery.query(film([[]] * 5, "wall.avi"))
    assert nobody.value.reason == Reason.NO_FACE
    with pytest.raises(FaceError, match="no frame that can be decoded"):
        gallery.query(film([], "nothing.avi"))


def test_a_clip_that_is_cut_off_is_searched_as_far_as_it_goes(gallery: Gallery, film: Callable[..., Path]) -> None:
    path = film(alone(3, 40, start=100)[:1] * 40)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    result = gallery.query(path, top_k=1)
    assert result.candidates[0].subject_id == "person0003"
    assert any("cut off: of 40 frames" in note for note in result.notes)
    assert 10 < len(result.probe["video"]["looked_at"]) < 30


@pytest.mark.parametrize("container", ["MJPG:avi", "mp4v:mp4"])
def test_a_long_clip_costs_no_more_frames_and_gives_the_ones_it_says(
    container: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, ending = container.split(":")
    path = tmp_path / f"long.{ending}"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), 25, (64, 64))
    for number in range(2000):
        writer.write(np.full((64, 64, 3), number % 250, np.uint8))
    writer.release()
    decoded = list[str]()
    real = cv2.VideoCapture

    class Counted:
        def __init__(self, *of: object) -> None:
            self.own = real(*of)

        def __getattr__(self, name: str) -> object:
            if name in ("grab", "read"):
                decoded.append(name)
            return getattr(self.own, name)

    monkeypatch.setattr(cv2, "VideoCapture", Counted)
    with Clip(path, 10**8) as clip:
        frames = list(clip.spread())
        assert not clip.cut_off
    assert (len(frames), frames[0].number, frames[-1].number) == (clips.FRAMES, 0, 1999)
    assert len(decoded) == clips.FRAMES
    for frame in frames:
        assert abs(int(frame.photo.pixels[32, 32, 0]) - frame.number % 250) <= 4
        assert frame.seconds == pytest.approx(frame.number / 25, abs=1e-3)
    with pytest.raises(FaceError) as large:
        Clip(path, 1000)
    assert large.value.reason == Reason.TOO_MANY_PIXELS


def test_only_paths_with_a_videos_ending_are_videos() -> None:
    assert [is_video(of) for of in ("a.MP4", Path("b.avi"), "c.jpg", b"d.mp4", None, ["e.mp4"])] == [
        True, True, False, False, False, False,
    ]  # fmt: skip


def unit(*vector: float) -> np.ndarray:
    return (np.array(vector) / np.linalg.norm(vector)).astype(np.float32)


def test_tracks_follow_place_and_likeness_and_no_face_is_in_two() -> None:
    a, b = unit(1, 0, 0.1), unit(0, 1, 0.1)
    left, right = [0, 0, 12, 12], [50, 0, 60, 10]
    # a moves a little, b stands beside; a's place is taken by b in frame 3; a comes back elsewhere in frame 6.
    seen = [(0, left, a), (0, right, b), (1, [2, 0, 14, 12], a), (1, right, b), (3, left, b), (6, [90, 0, 102, 12], a)]
    frames = np.array([frame for frame, _, _ in seen])
    boxes = np.array([box for _, box, _ in seen], float)
    vectors = np.stack([vector for *_, vector in seen])
    found = find_tracks(frames, boxes, vectors, Limits(near=0.5, far=0.8))
    assert [track.tolist() for track in found] == [[0, 2, 5], [1, 3, 4]]
    # By place alone a new place is a new person, and so is a place after a gap.
    apart = find_tracks(frames, boxes, vectors, Limits(near=-1, far=2))
    assert sorted(track.tolist() for track in apart) == [[0, 2], [1, 3], [4], [5]]
    assert tracks.OVERLAP < 1


def test_two_alike_faces_in_one_frame_are_two_people() -> None:
    twin = unit(1, 1, 1)
    frames, boxes = np.array([0, 0, 1, 1]), np.array([[0, 0, 9, 9], [20, 0, 29, 9]] * 2, float)
    found = find_tracks(frames, boxes, np.stack([twin] * 4), Limits(near=0.5, far=0.8))
    assert [track.tolist() for track in found] == [[0, 2], [1, 3]]
