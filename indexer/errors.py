"""The errors of the index: each says what was found, what was expected, and what to do.

They have the shape of `tgfr_search.errors.TgfrError`, which this floor must not import; the command line treats both
alike.
"""

from __future__ import annotations

ECHO = 1000
"""Characters of a part of a message: a value that is echoed must not fill a terminal or a log."""


def limited(text: str, at_most: int = ECHO) -> str:
    """`text`, or its two ends and how long it is: every value in a message goes through here."""
    if len(text) <= at_most:
        return text
    half = at_most // 2
    return f"{text[:half]} … ({len(text):,} characters) … {text[-half:]}"


class IndexerError(Exception):
    """Base of every error of the index that a user can mend.

    Args:
        what: The thing at fault, a file, an index or an argument, named so that it can be found.
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


class NotAnIndexError(IndexerError):
    """The path is not there, or is not an index directory."""


class IndexExistsError(IndexerError):
    """A new index was asked for where there is one already, or where other files are."""


class FormatVersionError(IndexerError):
    """The index was written in another format version than this program reads."""


class DamagedIndexError(IndexerError):
    """A file of the index is missing, has another size or content, or cannot be read."""


class StaleReaderError(IndexerError):
    """A reader asked for a file that was purged after it had opened the index; opening it again helps."""


class GoneGenerationError(IndexerError):
    """An earlier state of the index is asked for that is not kept: never held, or purged in spite of it."""


class HeldError(IndexerError):
    """A purge would go over a case that is on legal hold, or was asked to go over one that holds nothing."""


class FilterError(IndexerError):
    """A filter cannot be read, names a column that is not there, or compares it with a value of another type."""


class IndexLockedError(IndexerError):
    """Another process is writing to the index; the message names its owner."""


class ContractMismatchError(IndexerError):
    """The index was built with another model, encoder, alignment or preprocessing; every differing field is named."""


class IncompleteSpaceError(IndexerError):
    """A vector space has no vectors of some rows yet: an answer would leave them out without a word."""


class BadVectorError(IndexerError):
    """A vector is NaN or infinite, not of unit norm, or of the wrong dimension; block and row are named."""


class BadRowError(IndexerError):
    """A row's identity, captions, metadata or chip is not what it should be; the row is named."""


class UnknownRowError(IndexerError):
    """A row id or a subject is not in the index, or was deleted."""


class MissingFaissError(IndexerError):
    """No FAISS is installed, or faiss-cpu and faiss-gpu are installed over each other."""


class LowRecallError(IndexerError):
    """An approximate search structure finds less than was asked of it; measured when it was built."""


class MissingDeviceError(IndexerError):
    """A backend needs a GPU, and there is none that it can use; it never falls back to the CPU."""


class StorageError(IndexerError):
    """The operating system refused to read or write a file of the index."""


class DiskFullError(StorageError):
    """There is no space left; the last committed state of the index is untouched."""


class MissingMilvusError(IndexerError):
    """No pymilvus is installed, or no milvus-lite for a file."""


class MilvusError(IndexerError):
    """A Milvus server does not answer in time, refuses, or holds something else than the index that is asked for."""
