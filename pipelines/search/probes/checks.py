"""What is asked of a gallery, checked before anything is done."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.search.probes.probe import Image
from pipelines.search.probes.witnessed import Told
from tgfr_search.errors import InputError
from tgfr_search.faces.choice import FaceChoice
from tgfr_search.faces.clip import is_video
from tgfr_search.types import QUERY_MODES


def check_asked(mode: str, top_k: int, where: str | None) -> None:
    """Refuse what is no mode, no number of candidates, or no filter.

    Raises:
        InputError: Names it, and what goes.
    """
    if isinstance(top_k, bool) or not isinstance(top_k, int | np.integer) or top_k < 1:
        raise InputError("top_k", found=repr(top_k), expected="a whole number, 1 or more")
    if not (where is None or isinstance(where, str)):
        raise InputError("where", found=type(where).__name__, expected="a text")
    if mode not in QUERY_MODES:
        raise InputError("mode", found=repr(mode), expected=f"one of: {', '.join(QUERY_MODES)}")


def check_parts(
    image: Image | None,
    images: Sequence[Image] | None,
    witnesses: Sequence[Told] | None,
    choice: FaceChoice | None,
    choices: Sequence[FaceChoice | None] | None,
    *,
    said: bool,
) -> None:
    """Refuse parts of a query that do not go together.

    Raises:
        InputError: Names the two, and what goes.
    """
    video = is_video(image)
    if witnesses is not None and (said or video):
        found = "witnesses, and a caption or a video"
        raise InputError("query", found=found, expected="witnesses with photos or none")
    if images is not None and (image is not None or choice is not None):
        raise InputError("query", found="images, and one image or its face", expected="one of both")
    if choices is not None and images is None:
        raise InputError("query", found="choices, and no images", expected="both", do="face, box or eyes of one")
    if video and choice is not None and (choice.box is not None or choice.points is not None):
        raise InputError("a video", found="a box or eyes", expected="--face N", do="or give a still picture")
    if choice is not None and image is None:
        raise InputError("query", found="which face is meant, and no image", expected="both")
