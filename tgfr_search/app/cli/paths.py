"""How paths are read from the command line: one door for the arguments, options and variables of every command."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import typer
from typer.core import TyperGroup
from typer.models import OptionInfo, ParameterInfo

from tgfr_search.errors import InputError


def given_path(text: str, name: str) -> Path:
    """A path as a person meant it.

    The shell leaves the `~` of `--index=~/index` to the program, and so does a variable's: it is the home directory,
    unless there is a file of that very name.

    Args:
        text: As it was given.
        name: The parameter's, for the message.

    Raises:
        InputError: It is empty: `index "$GALLERY"` with a variable that is not set would enrol the working directory.
    """
    if not text.strip():
        do = "is a variable not set? `.` is the working directory"
        raise InputError(name, found="an empty path", expected="a file or folder", do=do)
    return Path(os.path.expanduser(text) if text.startswith("~") and not os.path.lexists(text) else text)  # noqa: PTH111


def read_paths(app: typer.Typer) -> None:
    """Let every path that a command of `app` takes go through `given_path`; called once all commands are there."""
    for group in app.registered_groups:
        if group.typer_instance is not None:
            read_paths(group.typer_instance)
    for command in app.registered_commands:
        if command.callback is None:
            continue
        hints = get_type_hints(command.callback, include_extras=True)
        for name, hint in hints.items():
            for info in (each for each in get_args(hint) if isinstance(each, ParameterInfo)):
                if Path in _within(hint) and info.parser is None:
                    is_option = isinstance(info, OptionInfo)
                    shown = f"--{name.replace('_', '-')}" if is_option else (info.metavar or name.upper()).strip("[].")
                    info.parser = _parser(shown)
                    info.metavar = info.metavar or ("PATH" if is_option else None)
        # Annotations are kept as text and would be made anew, without the parsers, each time that they are asked for.
        command.callback.__annotations__ = hints


def _within(hint: Any) -> tuple[Any, ...]:
    """The types of a hint and of its parts."""
    return (hint, *(each for part in get_args(hint) for each in _within(part)))


def _parser(name: str) -> Callable[[str | Path], Path]:
    def path(text: str | Path) -> Path:
        # Some versions of Typer hand defaults over, too, and those are paths already.
        return text if isinstance(text, Path) else given_path(text, name)

    return path


class DashGroup(TyperGroup):
    """Commands that answer a file whose name begins with a dash, taken for an option, with `./-name`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keeps the words of the command line for `invoke`."""
        self._given = list(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Runs the command that `ctx` names."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            file = next((word for word in self._given if word.startswith("-") and os.path.lexists(word)), None)
            # Typer has a copy of Click's classes inside since 0.27; the name is the same.
            if type(error).__name__ == "NoSuchOption" and file is not None:
                error.message += f"; for the file {file} write ./{file}"  # type: ignore[attr-defined]
            raise
