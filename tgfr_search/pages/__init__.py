"""Every page of HTML: one environment, one style; reports, sheets, the data page, cases, the service."""

from tgfr_search.pages.environment import render

__all__ = ["render"]
