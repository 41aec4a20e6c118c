"""Where printed text leaves the program: one door that escapes it, and one place where a stream that fails is told.

Standard output may be a pipe that nobody reads any more, a full disk, closed, or unable to write a character; none of
these ends in a traceback.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress

from tgfr_search.errors import TgfrError
from tgfr_search.visible import encodable, visible

INTERRUPTED, PIPE_CLOSED = 130, 141
"""Exit codes, as shells have them: 128 and the number of the signal."""


class OutputError(TgfrError):
    """Standard output cannot be written."""


class PipeClosedError(Exception):
    """Whoever read standard output has gone."""


def shown(text: object, *, err: bool = False) -> str:
    """Data as it may be printed: on one line, nothing hidden, in the characters that the stream can write."""
    stream = sys.stderr if err else sys.stdout
    return encodable(visible(str(text)), getattr(stream, "encoding", None))


def say(text: object, *, err: bool = False) -> None:
    """Prints one line. Everything that a user can have written is escaped, line breaks too."""
    write(shown(text, err=err), err=err)


def write(text: str, *, err: bool = False) -> None:
    """Prints lines that are escaped already.

    Raises:
        OutputError: Standard output cannot be written. (Nothing is raised where standard error cannot.)
        PipeClosedError: Nobody reads it any more.
    """
    try:
        stream = sys.stderr if err else sys.stdout
        stream.write(f"{text}\n")
        if err:
            stream.flush()
    except BrokenPipeError as error:
        if not err:
            raise PipeClosedError from error
    except OSError as error:
        if not err:
            raise _output_error(error) from error


def error(message: str) -> None:
    """Prints an error on standard error."""
    line = shown(message, err=True)
    coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    write(f"\x1b[31merror: {line}\x1b[0m" if coloured else f"error: {line}", err=True)


def run(command: Callable[[], int]) -> int:
    """Runs a command with streams that can be written, and returns the process's exit code.

    Args:
        command: Returns an exit code.
    """
    try:
        _prepare()
        code = command()
        _flush()
    except PipeClosedError:
        _drop_output()
        return PIPE_CLOSED
    except KeyboardInterrupt:
        code = INTERRUPTED
    except OutputError as problem:
        _drop_output()
        error(str(problem))
        return problem.exit_code
    if code == INTERRUPTED:
        say("interrupted; `index`, `benchmark` and `train` go on where they were when run again", err=True)
        with suppress(OutputError, PipeClosedError):
            _flush()
    return code


def _prepare() -> None:
    closed = sys.stdout is None
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # its number must be taken, or the next file that is opened gets it
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - open to the end
    for stream in (sys.stdout, sys.stderr):
        if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
            reconfigure(errors="backslashreplace")
    if closed:
        raise OutputError("standard output", found="closed", expected="open", do="run it with `> /dev/null`, or a file")


def _flush() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError as error:
        raise PipeClosedError from error
    except OSError as error:
        raise _output_error(error) from error


def _output_error(error: OSError) -> OutputError:
    found = os.strerror(error.errno) if error.errno else str(error)
    do = "make room, or send it elsewhere" if error.errno == errno.ENOSPC else "send it elsewhere"
    return OutputError("standard output", found=found, expected="that the answer can be written there", do=do)


def _drop_output() -> None:
    """What is still buffered goes nowhere: the interpreter would complain of it once more at exit."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
