"""A text as a QR code, to be read back from a page or from paper."""

from __future__ import annotations

import segno
from markupsafe import Markup

QUIET = 4
"""Modules of white around it, as ISO/IEC 18004 asks."""


def qr_svg(text: str) -> Markup:
    """An SVG, black on white, scalable; error level M (15 % of it may be damaged).

    Args:
        text: At most some 2,300 bytes of UTF-8.
    """
    code = segno.make(text, error="m", micro=False, boost_error=False)
    return Markup(code.svg_inline(border=QUIET, light="#fff", omitsize=True))
