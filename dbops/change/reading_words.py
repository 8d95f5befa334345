"""The words of a statement, and a reader that goes through them; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from dbops.change.reading import Name


class Sort(Enum):
    """The sorts of words. A NAME is one that stood in quotes."""

    WORD = "word"
    NAME = "name"
    TEXT = "text"
    NUMBER = "number"
    SIGN = "sign"


@dataclass(frozen=True, slots=True)
class Word:
    """A word; `text` is without its quotes."""

    text: str
    sort: Sort

    @property
    def upper(self) -> str:
        """A keyword, name or sign to compare with; "" for a name in quotes and for a text."""
        return self.text.upper() if self.sort in {Sort.WORD, Sort.SIGN} else ""


_DEPTHS: Final = {"(": 1, "[": 1, ")": -1, "]": -1}
_NAMES: Final = frozenset({Sort.WORD, Sort.NAME})


def folded(word: Word, dialect: str) -> str:
    """Return a name as the catalogue has it."""
    if word.sort is Sort.NAME:
        return word.text
    if dialect == "postgres":
        return word.text.lower()
    return word.text.upper() if dialect == "oracle" else word.text


def upper_words(words: Iterable[Word]) -> tuple[str, ...]:
    """Return words, names and signs in upper case, texts left out."""
    kept = (word for word in words if word.sort in {Sort.WORD, Sort.NAME, Sort.SIGN})
    return tuple(word.text.upper() for word in kept)


def parts(words: Sequence[Word], sign: str = ",") -> Iterator[tuple[Word, ...]]:
    """Yield what stands between the commas that are in no parentheses."""
    depth, found = 0, list[Word]()
    for word in words:
        depth += _DEPTHS.get(word.upper, 0)
        if depth == 0 and word.upper == sign:
            yield tuple(found)
            found = []
        else:
            found.append(word)
    if found:
        yield tuple(found)


def calls_in(words: Sequence[Word]) -> Iterator[str]:
    """Yield the functions that an expression calls, in lower case, and words that are such."""
    for place, word in enumerate(words):
        following = words[place + 1].upper if place + 1 < len(words) else ""
        before = words[place - 1].upper if place else ""
        if before == "::" or word.sort not in _NAMES:
            continue
        if (following == "(" and word.upper not in _NO_CALLS) or (
            following != "(" and word.upper in _CALLED_BARE
        ):
            yield word.text.lower()


_NO_CALLS: Final = frozenset(["IN", "AND", "OR", "NOT", "ARRAY", "CAST", "AS", "VALUES", "ROW"])
_CALLED_BARE: Final = frozenset(
    [
        *("CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME", "LOCALTIMESTAMP", "LOCALTIME"),
        *("SYSDATE", "SYSTIMESTAMP", "CURRENT_USER", "SESSION_USER", "USER"),
    ]
)


def spaced(words: Sequence[Word]) -> str:
    """Return the words of a type as people write it: `numeric(10,2)`."""
    text = ""
    for word in words:
        quote = {Sort.TEXT: "'", Sort.NAME: '"'}.get(word.sort, "")
        written = quote + word.text.replace(quote, quote * 2) + quote if quote else word.text
        glued = word.upper in {"(", ")", ",", ".", "[", "]"} or text.endswith(("(", ",", ".", "["))
        text += written if glued or not text else f" {written}"
    return text


class Cursor:
    """Goes through the words of a statement, from left to right."""

    def __init__(self, words: Sequence[Word], dialect: str) -> None:
        self._words = tuple(words)
        self._at = 0
        self.dialect = dialect

    @property
    def ended(self) -> bool:
        """Whether nothing is left."""
        return self._at >= len(self._words)

    @property
    def rest(self) -> tuple[Word, ...]:
        """What is left."""
        return self._words[self._at :]

    def peek(self, ahead: int = 0) -> str:
        """Return a word to come, in upper case; "" for a name in quotes, a text, and the end."""
        place = self._at + ahead
        return self._words[place].upper if place < len(self._words) else ""

    def at(self, *phrase: str) -> bool:
        """Whether the words to come are these."""
        return all(self.peek(place) == word for place, word in enumerate(phrase))

    def take(self, *phrase: str) -> bool:
        """Step over the words where they are the next; say whether they were."""
        if not self.at(*phrase):
            return False
        self._at += len(phrase)
        return True

    def take_any(self, *words: str) -> str:
        """Step over the next word if it is one of these, and return it; "" otherwise."""
        found = self.peek()
        if found not in words:
            return ""
        self._at += 1
        return found

    def next(self) -> Word | None:
        """Return the next word and step over it."""
        if self.ended:
            return None
        self._at += 1
        return self._words[self._at - 1]

    def name(self) -> Name | None:
        """Return the name that begins here, its parts and dots stepped over; None for no name.

        SQLite's catalogue has no schemas: the file itself, `main`, is left out.
        """
        path: list[str] = []
        while True:
            self.take_any("#", "@")
            if self.ended or self._words[self._at].sort not in _NAMES:
                break
            path.append(folded(self._words[self._at], self.dialect))
            self._at += 1
            if not self.take("."):
                break
        if self.dialect == "sqlite" and len(path) > 1 and path[0].casefold() == "main":
            del path[0]
        return Name(tuple(path)) if path else None

    def identifier(self) -> str | None:
        """Return the last part of the name that begins here."""
        found = self.name()
        return None if found is None else found.last

    def group(self) -> tuple[Word, ...]:
        """Return what stands in the parentheses that open here; () where none do."""
        if not self.at("("):
            return ()
        depth, begin = 0, self._at + 1
        while not self.ended:
            depth += _DEPTHS.get(self.peek(), 0)
            self._at += 1
            if depth == 0:
                return self._words[begin : self._at - 1]
        return self._words[begin:]

    def until(self, *stops: str) -> tuple[Word, ...]:
        """Return the words before one of these that is in no parentheses, and step over them."""
        depth, begin = 0, self._at
        while not self.ended:
            if depth == 0 and self.peek() in stops:
                break
            depth += _DEPTHS.get(self.peek(), 0)
            self._at += 1
        return self._words[begin : self._at]

    def names(self) -> tuple[str, ...]:
        """Return the names in the parentheses that open here: the first of each part."""
        found = (Cursor(part, self.dialect).identifier() for part in parts(self.group()))
        return tuple(name for name in found if name is not None)
