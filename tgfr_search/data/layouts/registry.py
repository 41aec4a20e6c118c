"""Which published data set a folder holds, if any."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from tgfr_search.data.layouts.base import Layout
from tgfr_search.data.layouts.celeba import CELEBA
from tgfr_search.data.layouts.celeba_dialog import CELEBA_DIALOG
from tgfr_search.data.layouts.face2text import FACE2TEXT
from tgfr_search.data.layouts.ffhq_text import FFHQ_TEXT
from tgfr_search.data.layouts.ijb import IJB
from tgfr_search.data.layouts.lfw import LFW
from tgfr_search.data.layouts.mm_celeba import MM_CELEBA
from tgfr_search.errors import InputError

LAYOUTS: tuple[Layout, ...] = (CELEBA, MM_CELEBA, CELEBA_DIALOG, FACE2TEXT, FFHQ_TEXT, LFW, IJB)
"""Where two are possible by files that they share, the earlier one."""
_FEW = 3
"""Entries of a folder in which a data set one level too deep is looked for."""


def find_layout(folder: Path) -> Layout | None:
    """The data set that a folder holds; None where it is a plain folder of images.

    Raises:
        InputError: It has the files of two data sets, or holds the data set's folder and nothing else.
    """
    marks = {layout: layout.marks(folder) for layout in LAYOUTS}
    own = [layout for layout, mark in marks.items() if mark == 2]
    if len(own) > 1:
        found = " and ".join(layout.title for layout in own)
        raise InputError(
            str(folder), found=f"the files of {found}", expected="one data set", do="give each its own folder"
        )
    if own or any(marks.values()):
        return own[0] if own else next(layout for layout, mark in marks.items() if mark)
    below = [path for path in islice(folder.iterdir(), _FEW + 1) if not path.name.startswith(".")]
    inner = [path for path in below if path.is_dir()] if len(below) <= _FEW else []
    for path in inner:
        layout = next((layout for layout in LAYOUTS if layout.marks(path)), None)
        if layout is not None:
            raise InputError(str(folder), found=f"{layout.title} in its folder {path.name}", do=f"name {path}")
    return None
