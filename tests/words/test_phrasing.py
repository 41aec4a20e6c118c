"""Whether a line is put as the text encoder was taught, and what is left of a line without its denials."""

import pytest

from tgfr_search.words.phrasing import is_familiar, without_denials, word_pairs


def test_the_pairs_of_words_of_a_line() -> None:
    assert word_pairs("He has black hair, and a hat.") == [
        "^ he", "he has", "has black", "black hair", "hair |", "| and", "and a", "a hat", "hat |", "| $",
    ]  # fmt: skip
    assert word_pairs("") == ["^ $"]


def test_a_line_is_familiar_where_nine_in_ten_of_its_pairs_are_known() -> None:
    known = set(word_pairs("She has wavy hair, and big lips. She is young."))
    assert is_familiar("She has wavy hair. She is young.", known)
    assert not is_familiar("a young woman with wavy hair", known)
    assert not is_familiar("She has no wavy hair.", known)


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("a person with no eyeglasses", "a person with"),
        ("an old man who is not wearing glasses", "an old man who is"),
        ("glasses but no beard", "glasses but"),
        ("not a man", ""),
        ("no glasses, no beard", ""),
        ("a man with a beard", "a man with a beard"),
        ("  two  spaces  and a hat", "  two  spaces  and a hat"),
    ],
)
def test_what_a_line_denies_is_taken_out_of_it(line: str, left: str) -> None:
    assert without_denials(line).rstrip(",") == left
