"""The one environment: what is printed is text, what is missing is an error, every template compiles."""

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from tgfr_search.pages.environment import data_uri, environment

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "</style><b>",
    "\x1b[31m\u202egnp.exe",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_is_never_markup_nor_acts(text: str) -> None:
    shown = environment().from_string('<p title="{{ text }}">{{ text }}</p>').render(text=text)
    inside = shown.removeprefix('<p title="').removesuffix("</p>")
    attribute, _, element = inside.partition('">')
    assert attribute == element
    assert not set(attribute) & set("<>\"'\x1b\u202e")
    assert "49" not in attribute


def test_what_a_template_made_passes_and_what_is_missing_is_an_error() -> None:
    assert environment().from_string("{{ made }}").render(made=Markup("<b>\n</b>")) == "<b>\n</b>"
    with pytest.raises(UndefinedError, match="absent"):
        environment().from_string("{{ absent }}").render()
    with pytest.raises(UndefinedError):
        environment().from_string("{% if absent %}x{% endif %}").render()


def test_every_template_compiles() -> None:
    names = environment().list_templates(extensions=["html"])
    assert "base.html" in names
    for name in names:
        environment().get_template(name)


def test_a_picture_is_inside_the_page() -> None:
    assert data_uri(b"\xff\xd8", "jpeg") == "data:image/jpeg;base64,/9g="
