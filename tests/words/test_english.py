"""Another language is noticed, English is not doubted."""

import pytest

from tgfr_search.words.english import language


@pytest.mark.parametrize(
    "line",
    [
        "ein alter Mann mit Brille und Bart",
        "une jeune femme avec des lunettes",
        "un hombre con barba y gafas",
        "un uomo con la barba e gli occhiali",
        "um homem com barba e óculos",
        "een oude man met een bril",
        "en gammal man med skägg och glasögon",
        "starszy mężczyzna z brodą",
        "bir adam ve siyah saç",
        "seorang pria dengan kacamata",
        "пожилой мужчина в очках",
        "戴眼镜的男人",
        "رجل ملتح يرتدي نظارة",
    ],
)
def test_other_languages_are_noticed(line: str) -> None:
    assert not language([line]).english


def test_english_is_not_doubted() -> None:
    for line in (
        "bearded",
        "old man, glasses",
        "a naïve look",
        "man in el camino cap with a scar",
        "he has une tattoo",
        "a man from Los Angeles",
        "José had long hair",
        "",
    ):
        assert language([line]).english
