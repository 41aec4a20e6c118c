"""The errors of tgfr-search: each says what was found, what was expected, and what to do.

Exit codes are the command line's (`cli.py`); they live on the classes so that one table in the documentation is true
for every command: 0 done, 1 nothing usable, 2 bad input, 3 partial (something was quarantined).
"""

from __future__ import annotations

from enum import StrEnum
from functools import partial

ECHO = 1000
"""Characters of a part of a message: a value that is echoed must not fill a terminal or a log."""


def limited(text: str, at_most: int = ECHO) -> str:
    """`text`, or its two ends and how long it is: every value in a message goes through here."""
    if len(text) <= at_most:
        return text
    half = at_most // 2
    return f"{text[:half]} … ({len(text):,} characters) … {text[-half:]}"


class TgfrError(Exception):
    """Base of every error that a user can mend.

    Args:
        what: The thing at fault, a file or an option, named so that it can be found.
        found: What was there.
        expected: What should have been there.
        do: The next step for the user, a command where there is one.
    """

    exit_code = 2

    def __init__(self, what: str, *, found: str = "", expected: str = "", do: str = "") -> None:
        what, found, expected, do = limited(what), limited(found), limited(expected), limited(do)
        self.what, self.found, self.expected, self.do = what, found, expected, do
        parts = [what]
        if found:
            parts.append(f"found: {found}")
        if expected:
            parts.append(f"expected: {expected}")
        if do:
            parts.append(f"what to do: {do}")
        super().__init__("; ".join(parts))


class InputError(TgfrError):
    """A file, folder, column or option of the user's is not what it should be."""


class OptionsError(InputError):
    """A configuration file has an unknown key, a wrong type or a value out of range."""


class NothingUsableError(TgfrError):
    """The input was readable, yet nothing in it could be used (no face, no image, no caption)."""

    exit_code = 1


class MissingPartError(TgfrError):
    """A package or a weight file that an operation needs is not installed."""


class CheckpointError(TgfrError):
    """A model checkpoint is damaged or is of another layout."""


class ContractError(TgfrError):
    """An index and a model (or its preprocessing) do not belong together; the message names the field."""


class Reason(StrEnum):
    """Stable codes that say why a photo was not used. They are stored and counted: never rename one."""

    IO_ERROR = "io_error"
    EMPTY_FILE = "empty_file"
    TOO_MANY_BYTES = "too_many_bytes"
    UNSUPPORTED_FORMAT = "unsupported_format"
    UNDECODABLE = "undecodable"
    TRUNCATED = "truncated"
    TOO_MANY_PIXELS = "too_many_pixels"
    MULTI_FRAME = "multi_frame"
    NO_FACE = "no_face"
    MULTIPLE_FACES = "multiple_faces"
    FACE_TOO_SMALL = "face_too_small"
    NO_SUCH_FACE = "no_such_face"
    BAD_POINTS = "bad_points"
    NOT_A_CHIP = "not_a_chip"
    NO_DETAIL = "no_detail"
    MISSING_IMAGE = "missing_image"
    CHANGED_IMAGE = "changed_image"
    MISSING_SUBJECT = "missing_subject"
    DUPLICATE_ROW = "duplicate_row"
    UNMATCHED_CAPTION = "unmatched_caption"


class FaceError(TgfrError):
    """One photo gives no usable face. A batch quarantines it and goes on; a single query reports it.

    Args:
        reason: The stable code.
        detail: What exactly was found, for a person.
        do: The next step.
    """

    exit_code = 1

    def __init__(self, reason: Reason, detail: str, *, do: str = "") -> None:
        self.reason, self.detail = reason, limited(detail)
        super().__init__(f"{reason.value}: {detail}", do=do)

    def __reduce__(self) -> tuple[partial[FaceError], tuple[()]]:
        """Pickle by the arguments, so that the error crosses from a worker process unharmed."""
        return partial(type(self), self.reason, self.detail, do=self.do), ()
