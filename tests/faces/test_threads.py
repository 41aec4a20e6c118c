"""Any number of threads find what one finds, and none silences another."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tgfr_search.faces import FaceFinder, Photo
from tgfr_search.faces.detect import _DETECTORS, find_faces
from tgfr_search.faces.lent import Lent
from tgfr_search.faces.unheard import unheard
from tgfr_search.types import AlignedFace, ByteArray

DrawFace = Callable[[int], ByteArray]
THREADS = 8


@pytest.mark.slow
def test_many_threads_find_the_faces_that_one_finds(draw_face: DrawFace) -> None:
    # Pictures of several sizes: a detector shared by two threads looks at the one's picture with the other's size.
    photos = [Photo(np.pad(draw_face(260 + 24 * i), ((9 * i, 0), (0, 5 * i), (0, 0))), "0" * 64) for i in range(10)]
    finder = FaceFinder()
    alone = [finder.cut(photo) for photo in photos]
    with ThreadPoolExecutor(THREADS) as pool:
        together = list(pool.map(finder.cut, photos * 4))
    assert [_told(face) for face in together] == [_told(face) for face in alone] * 4


def _told(face: AlignedFace) -> tuple[object, ...]:
    return face.box, face.quality, face.faces_found, face.landmarks.tobytes(), face.pixels.tobytes()


@pytest.mark.slow
def test_a_copy_of_the_detector_answers_as_the_original(draw_face: DrawFace) -> None:
    photo = draw_face(400)
    rectangles, scores, _ = _DETECTORS._make().run(photo, 0, 0.0)
    assert [box.score for box in find_faces(photo)] == pytest.approx(scores, abs=0)
    assert [box[:4] for box in find_faces(photo)] == [(r.left(), r.top(), r.right(), r.bottom()) for r in rectangles]


def test_what_is_lent_has_one_user_at_a_time() -> None:
    made, lent = [], Lent(object, lambda original: made.append(original) or object())
    with lent.one() as first, lent.one() as second:
        assert first is not second
    with lent.one() as again:
        assert again in (first, second)
    with pytest.raises(ZeroDivisionError), lent.one() as broken:
        _ = 1 / 0
    with lent.one() as after, lent.one() as another:
        assert broken not in (after, another)
    assert len(set(map(id, made))) == 1


def test_a_child_forked_while_a_copy_is_made_makes_its_own() -> None:
    begun, end = threading.Event(), threading.Event()

    def make() -> object:
        begun.set()
        assert end.wait(20)
        return object()

    lent = Lent(make, lambda original: [original])

    def use() -> None:
        with lent.one():
            pass

    thread = threading.Thread(target=use)
    thread.start()
    assert begun.wait(20)
    with warnings.catch_warnings():  # from Python 3.12 on every fork beside threads is warned of
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        end.set()
        use()
        os._exit(0)
    end.set()
    thread.join(20)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_silence_is_one_threads_own() -> None:
    """`warnings.catch_warnings` gave it to all, and two threads could leave it behind for ever."""
    inside, heard = threading.Event(), threading.Event()

    def silent() -> None:
        with unheard():
            inside.set()
            assert heard.wait(20)
            warnings.warn("of a photo", UserWarning, stacklevel=1)  # an error in these tests, where it is heard

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(silent)
        assert inside.wait(20)
        with pytest.warns(UserWarning, match="of another thread"):
            warnings.warn("of another thread", UserWarning, stacklevel=1)
        heard.set()
        done.result()
    with pytest.raises(UserWarning, match="afterwards"):
        warnings.warn("afterwards", UserWarning, stacklevel=1)
    before = list(warnings.filters)
    with unheard():
        pass
    assert warnings.filters == before  # it is put there once: a change makes Python forget what it has told
