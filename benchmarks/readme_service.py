"""What the results page says of the service: its pages, its API under generated requests, and under load."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.results import read_result


def service() -> Iterator[str]:
    """A paragraph a measurement that is there."""
    axe, fuzz, load = (read_result(name) for name in ("axe", "fuzz", "served_load"))
    if axe is not None:
        found = sum(len(own) for own in axe["violations"].values())
        yield (
            f"**The service's pages**: axe-core {axe['axe']} in a real Chromium, {axe['pages']} views (each page "
            f"in the light theme in English and the dark one in German): {found} violations. `{axe['command']}`"
        )
    if fuzz is not None:
        errors = ", ".join(fuzz["errors_of_the_program"]) or "none"
        yield (
            f"**Its API under generated requests** (schemathesis {fuzz['schemathesis'].split()[-1]}): "
            f"{fuzz['requests']:,} of them, as each of {len(fuzz['by_role'])} roles; answers that were errors of the "
            f"program: {errors}. `{fuzz['command']}`"
        )
    if load is not None:
        own, kill = load["load"], load["kill"]
        yield (
            f"**Under load**, over {load['rows']:,} rows, with the log on, `{load['model']}`: {own['users']} users × "
            f"{own['searches'] // own['users']} searches by picture and words, {own['error_count']} errors; resident "
            f"memory {own['memory_growth']:+.1%}. What one user waits for beside detection and encoding: median "
            f"{own['one_user_beside_encoding_median_ms']:.0f} ms, 95th percentile "
            f"{own['one_user_beside_encoding_p95_ms']:.0f} ms. With all users at once the 95th percentile is "
            f"{own['p95_to_one_user_a_user']:.2f} of so many users' single times, one after another (machine's load "
            f"before: {load['load_average']:.1f} on {load['cores']} cores). **Killed** (SIGKILL) {kill['kills']} times "
            f"while it worked: {kill['answered_and_not_logged']} answers that the log does not have, "
            f"{len(kill['log_problems'])} problems of the log, rows of an enrolment that was answered: "
            f"{kill['rows_of_each_answered_one']}. `{load['command']}`"
        )
