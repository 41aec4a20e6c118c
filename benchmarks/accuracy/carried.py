"""Rows of a table that were measured earlier, with weights that are not here now, kept beside the new ones.

Training every system of the paper takes longer than one sitting. A row is carried over only where nothing that it rests
on has changed: protocol, data, ladder, options, and the figures of the frozen encoder, which every run measures anew.
Only its own figures and its difference from the frozen encoder are kept; the other baselines may have changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

SAME = ("protocol", "interval", "ladder")
SAME_OPTIONS = ("split", "levels", "condition", "seed", "resamples")
TOLERANCE = 1e-3
"""How far a rate of the frozen encoder may lie from the earlier one: two kinds of processor round differently."""


class Carried(NamedTuple):
    """What is taken from the earlier file.

    Attributes:
        results: Records.
        systems: Name → model id, provenance and when it was measured.
    """

    results: list[dict[str, Any]]
    systems: dict[str, dict[str, Any]]


def carried(earlier: Mapping[str, Any] | None, now: Mapping[str, Any], wanted: Sequence[str]) -> Carried:
    """The rows of `wanted` systems that an earlier result file still holds true.

    Args:
        earlier: That file's JSON, or None where there is none.
        now: The report that was just measured.
        wanted: Systems that it lacks.
    """
    if earlier is None or not _comparable(earlier, now):
        return Carried([], {})
    found = {name: earlier["systems"][name] for name in wanted if name in earlier["systems"]}
    results = [r for r in earlier["results"] if r["system"] in found and r["minus"] in (None, "frozen")]
    systems = {
        name: {
            **known,
            "measured": known.get("measured", {"created": earlier["created"], "machine": earlier["machine"]}),
        }
        for name, known in found.items()
    }
    return Carried(results, systems)


def _comparable(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    same = all(earlier[name] == now[name] for name in SAME)
    same = same and earlier["data"]["data_sha256"] == now["data"]["data_sha256"]
    same = same and all(_plain(earlier["options"][name]) == _plain(now["options"][name]) for name in SAME_OPTIONS)
    before, after = _frozen(earlier), _frozen(now)
    return same and all(key in after and abs(before[key] - after[key]) <= TOLERANCE for key in before)


def _frozen(tree: Mapping[str, Any]) -> dict[tuple[Any, ...], float]:
    return {
        (r["level"], r["metric"], r["at"]): r["value"]
        for r in tree["results"]
        if r["system"] == "frozen" and r["minus"] is None and r["group"] is None and r["value"] is not None
    }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
