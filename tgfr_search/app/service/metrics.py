"""What is counted, for Prometheus: numbers alone, by route and status; nothing of a person, a case or an account."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

MEDIA_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """The counters of one service."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self.requests = Counter("tgfr_requests_total", "Requests answered.", labels, registry=self._registry)
        self.seconds = Histogram(
            "tgfr_request_seconds", "Time to answer.", ("method", "route"), registry=self._registry
        )
        self.searches = Counter("tgfr_searches_total", "Searches answered.", registry=self._registry)
        self.refused = Counter("tgfr_refused_total", "Requests refused, by code.", ("code",), registry=self._registry)
        self.rows = Gauge("tgfr_gallery_rows", "Rows of a gallery.", ("gallery",), registry=self._registry)

    def text(self) -> bytes:
        """All of them in Prometheus' text format."""
        return generate_latest(self._registry)
