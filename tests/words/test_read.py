"""What descriptions say, by a table; the rest of the reading, case by case."""

from pathlib import Path

import pytest

from tgfr_search.data.captions import ATTRIBUTES
from tgfr_search.words.lexicon import lexicon
from tgfr_search.words.read import read_lines

ROWS = [
    tuple(part.strip() for part in line.split("=>"))
    for line in Path(__file__).with_name("phrases.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


def claims(text: str) -> dict[str, float]:
    out = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, _, sure = part.removeprefix("-").partition(":")
        out[name] = float(sure or 1) * (-1 if part.startswith("-") else 1)
    return out


def test_the_table_is_as_long_as_it_should_be() -> None:
    assert len({text for text, _ in ROWS}) >= 150


@pytest.mark.parametrize(("text", "said"), ROWS, ids=[text for text, _ in ROWS])
def test_a_description_says_what_it_says(text: str, said: str) -> None:
    assert read_lines([text]).claims == claims(said)


def test_where_the_words_stand_is_kept() -> None:
    line = "A man. He had no beard"
    said = {own.attribute: own for own in read_lines(["a man", line]).statements if own.line == 1}
    own = said["no_beard"]
    assert (line[own.start : own.end], own.words, own.denied, own.holds) == ("beard", "beard", True, True)
    assert own.cue is not None
    assert line[slice(*own.cue)] == "no"
    assert said["male"].cue is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("bald, with long hair", ("bald", "long hair")),
        ("clean-shaven, with a moustache", ("clean-shaven", "moustache")),
        ("an old man. He was young.", ("old", "young")),
        ("he had glasses; he had no glasses", ("glasses", "glasses")),
        ("a man, a woman", ("man", "woman")),
    ],
)
def test_what_cannot_both_be_is_told(text: str, words: tuple[str, str]) -> None:
    reading = read_lines([text])
    assert reading.clashes
    assert all(f'"{word}"' in reading.clashes[0] for word in words)


@pytest.mark.parametrize("text", ["balding with grey hair", "dark hair with blond highlights", "no beard, no glasses"])
def test_what_can_both_be_is_not(text: str) -> None:
    assert read_lines([text]).clashes == ()


def test_what_contradicts_itself_is_no_claim() -> None:
    assert read_lines(["with glasses", "without glasses, smiling"]).claims == {"smiling": 1.0}


def test_what_is_not_understood_is_told() -> None:
    assert read_lines(["a man with a scar and a limp, he limped"]).unread == ("scar", "limp", "limped")
    assert read_lines(["a man with no beard"]).unread == ()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("He looks like Brad Pitt with glasses", ("Brad Pitt",)),
        ("It was John", ("John",)),
        ("a man called Peter", ("Peter",)),
        ("An Asian man. Glasses. Bald", ()),
        ("A MAN WITH GLASSES", ()),
    ],
)
def test_names_are_noticed(text: str, names: tuple[str, ...]) -> None:
    assert read_lines([text]).names == names


@pytest.mark.parametrize("text", ["", "...", "?!,;:", "no", "not", "neither nor", "no,", ": no", "or or or", "\u200b"])
def test_nothing_is_said_by_nothing(text: str) -> None:
    assert read_lines([text]).claims == {}


def test_a_long_text_is_read_to_its_end() -> None:
    text = "He went down the road, and then he turned. " * 250 + "He had no glasses."
    assert len(text) > 10_000
    assert read_lines([text]).claims == {"male": 1.0, "eyeglasses": -1.0}


def test_the_table_names_attributes_that_there_are() -> None:
    table = lexicon()
    meanings = [meaning for rows in table.phrases.values() for _, meaning in rows]
    meanings += [meaning for own in table.adjectives.values() for meaning in own.values()]
    named = {claim.attribute for meaning in meanings for claim in (*meaning.yes, *meaning.no)}
    assert named - {"long_hair"} <= set(ATTRIBUTES)
    assert set(ATTRIBUTES) - named == {"blurry", "male"}
    assert all(0 < claim.sure <= 1 for meaning in meanings for claim in (*meaning.yes, *meaning.no))
