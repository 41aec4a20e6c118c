"""The language of filters: comparisons of columns with literals, joined by and, or, not and parentheses.

    filter     = term {"or" term}
    term       = factor {"and" factor}
    factor     = "not" factor | "(" filter ")" | condition
    condition  = column ("=" | "!=" | "<>" | "<" | "<=" | ">" | ">=") literal
               | column ["not"] "in" "(" literal {"," literal} ")"
               | column ["not"] "like" text            % any characters, _ any one
               | column "is" ["not"] "null"
    column     = name | "name in double quotes"
    literal    = 'text', '' for a quote in it | number | true | false | 2024-01-31 | 2024-01-31T12:00:00+01:00

Words of the language are read in any case, names of columns as they are written. A date in quotes is a date where the
column holds dates only; texts are compared in Unicode NFC, names of subjects and images without blanks at their ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from indexer.errors import FilterError
from indexer.filters.conditions import Both, Comparison, Condition, Either, IsNull, Literal, Membership, Not

MAX_WHOLE = 2**53
"""Whole numbers beyond this are not exact as float64, which numbers are compared as."""
MAX_DEPTH = 50
"""Nested parentheses and negations; deeper input is nobody's filter."""


_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>'(?:[^']|'')*')
    | (?P<date>\d{4}-\d{2}-\d{2}(?:[Tt]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:[Zz]|[+-]\d{2}:\d{2})?)?(?![\w:.-]))
    | (?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    | (?P<name>[^\W\d][\w.]*)
    | "(?P<quoted>(?:[^"]|"")+)"
    | (?P<sign><=|>=|!=|<>|[=<>(),])
    )""",
    re.VERBOSE,
)
_WORDS = {"and", "or", "not", "in", "is", "like", "null", "true", "false"}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    place: int


def parse(text: str) -> Condition:
    """Read a filter.

    Args:
        text: For instance `site = 'A' and enrolled_at >= 2024-01-01`.

    Raises:
        FilterError: It is not a filter; says where, what is there and what could be.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:  # bytes of a shell that are not UTF-8; no row holds such text
        raise FilterError("filter", found=f"no text at character {error.start + 1}", expected="UTF-8") from None
    return _Parser(text).whole()


def parse_date(text: str) -> datetime:
    """A date or a time in ISO 8601; midnight where no time is given, UTC where no zone is given.

    Raises:
        ValueError: It is none.
    """
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.tokens, self.at, self.depth = text, list[_Token](), 0, 0
        place = 0
        while place < len(text.rstrip()):
            match = _TOKEN.match(text, place)
            if match is None:
                raise self._error(_Token("end", text[place:].strip()[:20], place), "a column, a literal or a sign")
            kind = str(match.lastgroup)
            word = match[kind]
            if kind == "name" and word.lower() in _WORDS:
                kind, word = "word", word.lower()
            self.tokens.append(_Token(kind, word, match.start(match.lastgroup or 0)))
            place = match.end()
        self.tokens.append(_Token("end", "", len(text)))

    def whole(self) -> Condition:
        condition = self._either()
        if self.now.kind != "end":
            raise self._error(self.now, "`and`, `or` or the end")
        return condition

    @property
    def now(self) -> _Token:
        return self.tokens[self.at]

    def _next(self) -> _Token:
        token = self.now
        self.at += 1
        return token

    def _take(self, *words: str) -> bool:
        """Go on where the next word or sign is one of these."""
        if self.now.kind in ("word", "sign") and self.now.text in words:
            self.at += 1
            return True
        return False

    def _need(self, sign: str) -> None:
        if not self._take(sign):
            raise self._error(self.now, f"`{sign}`")

    def _either(self) -> Condition:
        return self._joined(self._both, "or", Either)

    def _both(self) -> Condition:
        return self._joined(self._factor, "and", Both)

    def _joined(self, part: Callable[[], Condition], word: str, kind: type[Both] | type[Either]) -> Condition:
        parts = [part()]
        while self._take(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else kind(tuple(parts))

    def _factor(self) -> Condition:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self._error(self.now, f"at most {MAX_DEPTH} levels of parentheses and `not`")
        if self._take("not"):
            condition: Condition = Not(self._factor())
        elif self._take("("):
            condition = self._either()
            self._need(")")
        else:
            condition = self._condition()
        self.depth -= 1
        return condition

    def _condition(self) -> Condition:
        token = self._next()
        if token.kind not in ("name", "quoted"):
            raise self._error(token, "a column")
        column = token.text.replace('""', '"') if token.kind == "quoted" else token.text
        if self._take("is"):
            negated = self._take("not")
            self._need("null")
            return Not(IsNull(column)) if negated else IsNull(column)
        negated = self._take("not")
        if self._take("in"):
            condition: Condition = Membership(column, self._list())
        elif self._take("like"):
            value = self._literal()
            if not isinstance(value, str):
                raise self._error(self.tokens[self.at - 1], "a text in single quotes")
            condition = Comparison(column, "like", value)
        elif not negated and self.now.kind == "sign" and self.now.text not in "(),":
            op = self._next().text
            return Comparison(column, "!=" if op == "<>" else op, self._literal())
        else:
            raise self._error(self.now, "`in` or `like`" if negated else "=, !=, <, <=, >, >=, in, like or is null")
        return Not(condition) if negated else condition

    def _list(self) -> tuple[Literal, ...]:
        self._need("(")
        values = [self._literal()]
        while self._take(","):
            values.append(self._literal())
        self._need(")")
        return tuple(values)

    def _literal(self) -> Literal:
        token = self._next()
        try:
            match token.kind:
                case "text":
                    return token.text[1:-1].replace("''", "'")
                case "date":
                    return parse_date(token.text.upper())
                case "number":
                    return self._number(token)
                case "word" if token.text in ("true", "false"):
                    return token.text == "true"
        except (ValueError, OverflowError):
            raise self._error(token, "a date of the calendar, as 2024-01-31") from None
        raise self._error(token, "a literal: 'text', a number, true, false or a date as 2024-01-31")

    def _number(self, token: _Token) -> int | float:
        if not token.text.lstrip("+-").isdigit():
            return float(token.text)
        if len(token.text) > 20 or abs(int(token.text)) > MAX_WHOLE:
            raise self._error(token, f"a whole number up to {MAX_WHOLE}, or a text in single quotes")
        return int(token.text)

    def _error(self, token: _Token, expected: str) -> FilterError:
        found = f"{token.text!r} at character {token.place + 1}" if token.text else "its end"
        return FilterError(f"filter {self.text!r}", found=found, expected=expected)
