"""The one Jinja2 environment: whatever is printed into a page is text, unless a template of ours made it.

Templates escape everything (autoescape), a name that is not there is an error, and text goes through `visible` first:
what draws nothing, or would turn or hide what stands beside it, is shown as its escape.
"""

from __future__ import annotations

import base64
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tgfr_search.pages.sentences import said
from tgfr_search.visible import cut_words, visible


def data_uri(data: bytes, kind: str = "jpeg") -> str:
    """An encoded picture as the address of an `img`; `kind` is its subtype of `image/`."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _shown(value: object) -> object:
    """What a template prints: text that came from somebody on one line and harmless, everything else as it is."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def environment() -> Environment:
    """The environment, made once a process: templates are compiled when they are first asked for."""
    made = Environment(
        loader=PackageLoader("tgfr_search.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(data_uri=data_uri, cut_words=cut_words, said=said)
    return made


def render(template: str, **values: Any) -> str:
    """One page.

    Args:
        template: File in `tgfr_search/pages/templates`.
        values: What it prints. `Markup` passes as it is: only for what a template or a plot of ours made.

    Raises:
        jinja2.UndefinedError: The template asks for a value that is not given.
    """
    return environment().get_template(template).render(**values)
