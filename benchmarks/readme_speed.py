"""The part of docs/results.md that tells of speed; `benchmarks.readme` puts it in place."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.results import read_result


def speed() -> Iterator[str]:
    """Rates and latencies, each beside its peer of the same run."""
    encoding = read_result("encode_speed")
    if encoding is not None:
        rates, ratios = encoding["images_per_second"], encoding["ratios"]
        yield (
            f"**Images a second of one core's time**: dlib's own C++ net {rates['dlib_cpp']}, the same net here "
            f"{rates['net_float32']} in float32 and {rates['net_bfloat16']} in bfloat16 "
            f"({ratios['net_bfloat16_over_dlib_cpp']} times dlib's); detection and alignment "
            f"{rates['detect_and_align']}; the fast model's whole image side {rates['model_image_side']}, "
            f"{ratios['default_image_side_cost_over_frozen_flip']} times the cost of the frozen encoder (both averaged "
            f"over the mirrored face); `index` end to end {rates['index_end_to_end']}, "
            f"{ratios['index_over_detect_plus_net']} of what detection and encoding alone would allow and "
            f"{ratios['index_over_dlib_pipeline']} times dlib's own pipeline. `{encoding['command']}`"
        )
    models = read_result("model_speed")
    if models is not None:
        told = "; ".join(
            f"`{name}` finds and aligns {own['detect_and_align']}, its image side {own['image_side']}, `index` end to "
            f"end {own['index_end_to_end']}, {own['index_over_dlib_pipeline']} times dlib's own pipeline"
            for name, own in models["models"].items()
        )
        device = models["machine"]["device"]
        yield f"**Images a second by model**, one core of {device}: {told}. `{models['command']}`"
    latency = read_result("query_latency")
    if latency is not None:
        lines = [
            f"**Latency of one query over {latency['rows']:,} rows**, median milliseconds. `{latency['command']}`",
            "",
            "| query | load | detect | encode | search | total |",
            "|---|---|---|---|---|---|",
        ]
        for mode, own in latency["median_ms"].items():
            cells = (f"{own[name]:.1f}" for name in ("load", "detect", "encode", "search", "total"))
            lines.append(f"| {mode} | {' | '.join(cells)} |")
        yield "\n".join(lines)
