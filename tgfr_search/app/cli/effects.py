"""Options that would do nothing beside what else was asked for: each is an error, never passed over in silence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperCommand

from tgfr_search.errors import InputError

Given = Mapping[str, Any]
"""Parameter of a command → its value."""


@dataclass(frozen=True)
class Idle:
    """Options that do nothing in some case.

    Attributes:
        options: Parameters, as the commands name them.
        case: Whether it is that case; only commands that have all of `of` are asked.
        of: Parameters that `case` looks at.
        found: The case, in words.
        expected: When the options do something.
    """

    options: tuple[str, ...]
    of: tuple[str, ...]
    case: Callable[[Given], bool]
    found: str
    expected: str


IDLE = (
    Idle(
        (
            "gallery",
            "captions_file",
            "split",
            "levels",
            "condition",
            "captions",
            "systems",
            "group_by",
            "same_person",
            "seed",
            "resamples",
            "enrolment",
            "end_to_end",
            "pictures",
            "cache",
            "calibration",
            "cohort",
        ),
        ("pairs", "systems"),
        lambda given: given["pairs"] is not None,
        "--pairs: a face encoder alone is measured, on the pairs of a list",
        "without --pairs; see `benchmark-pairs` for what it takes",
    ),
    Idle(("encoder",), ("pairs", "systems"), lambda given: given["pairs"] is None, "no --pairs", "with --pairs"),
    Idle(
        ("on_multiple", "min_eyes"),
        ("aligned",),
        lambda given: bool(given["aligned"]),
        "--aligned: no face is looked for",
        "photos that are not aligned",
    ),
    Idle(
        ("on_multiple", "min_eyes", "aligned"),
        ("probes", "index"),
        lambda given: not given["probes"],
        "no probe photo",
        "a photo to search with",
    ),
    Idle(
        ("on_multiple", "aligned"),
        ("probe", "index"),
        lambda given: given["probe"] is None,
        "no probe photo",
        "a photo to search with",
    ),
    Idle(
        ("milvus_uri", "milvus_collection"),
        ("backend",),
        lambda given: given["backend"] != "milvus",
        "another backend",
        "with --backend milvus",
    ),
    Idle(
        ("force",),
        ("sheet", "faces"),
        lambda given: not given["sheet"] and given["faces"] is None,
        "no file to write",
        "with --sheet or --faces",
    ),
    Idle(
        ("origin",),
        ("caption", "origin"),
        lambda given: not given["caption"],
        "no description",
        "with --caption, whose origin it is",
    ),
    Idle(
        ("out", "workers"),
        ("dry_run", "config"),
        lambda given: bool(given["dry_run"]),
        "--dry-run: nothing is read or written",
        "without --dry-run",
    ),
)
"""Every such case of every command."""  # fmt: skip


def check_effects(given: Given, asked: Callable[[str], bool]) -> None:
    """Refuses an option that was asked for and does nothing.

    Args:
        given: All parameters of the command.
        asked: Whether a parameter stands on the command line; a variable of the environment is no such wish.

    Raises:
        InputError: There is one; it says why it does nothing and when it does something.
    """
    for idle in IDLE:
        if not given.keys() >= set(idle.of) or not idle.case(given):
            continue
        for name in idle.options:
            if name in given and asked(name):
                option = f"--{name.replace('_', '-')}"
                raise InputError(option, found=f"it has no effect with {idle.found}", expected=idle.expected)


class Checked(TyperCommand):
    """A command that does not run with an option that would do nothing."""

    def invoke(self, ctx: Any) -> Any:
        """Looks at the options, then runs."""

        def asked(name: str) -> bool:
            source = ctx.get_parameter_source(name)
            return source is not None and source.name == "COMMANDLINE"

        check_effects(ctx.params, asked)
        return super().invoke(ctx)


def check_all(app: typer.Typer) -> None:
    """Let every command of `app` be `Checked`; called once all commands are there."""
    for group in app.registered_groups:
        if group.typer_instance is not None:
            check_all(group.typer_instance)
    for command in app.registered_commands:
        command.cls = Checked
