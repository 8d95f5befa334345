"""The tokens of SQL text, as far as all databases agree on where they end; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from dbops.errors import Refused
from dbops.sql.statement import Bound, Identifier, Piece, RowColumn

_WIDE: Final = "\u0080-\U0010ffff"
_NAME: Final = "[a-z][a-z0-9_]{0,62}"
NAME_RULE: Final = "1 to 63 lower-case letters, digits and underscores, a letter first"
_IN_WORD: Final = re.compile(f"[A-Za-z0-9_${_WIDE}]")

_TOKEN: Final = re.compile(
    rf"""
    (?P<space>[ \t\n]+)
    | (?P<remark>--[^\n]*)
    | (?P<comment>/\*)
    | (?P<string>'[^']*(?:''[^']*)*(?:'|(?P<open_string>\Z)))
    | (?P<quoted>"[^"]*(?:""[^"]*)*(?:"|(?P<open_quoted>\Z)))
    | (?P<tick>`)
    | (?P<bracket>\[)
    | (?P<dollar>\$)
    | (?P<word>[A-Za-z0-9_{_WIDE}][A-Za-z0-9_${_WIDE}]*)
    | (?P<colon>:)
    | (?P<end>;)
    | (?P<backslash>\\)
    | (?P<mark>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_DOLLAR_TAG: Final = re.compile(rf"\$(?:[A-Za-z_{_WIDE}][A-Za-z0-9_{_WIDE}]*)?\$")
_ESCAPED_QUOTE: Final = {
    "string": re.compile(r"(?<!\\)\\(?:\\\\)*'"),
    "quoted": re.compile(r'(?<!\\)\\(?:\\\\)*"'),
}
# What stands in brackets, where an array's subscript and a quoted name end at the same place; or
# nothing, as in `integer[]`.
_SAME_IN_BRACKETS: Final = re.compile(
    r"\[(?:[^\]\['\"`;$\\:/()-]|::|:(?=[\s0-9\]])|-(?!-)|/(?!\*))*\]"
)
# The same for backticks, which are an operator in PostgreSQL.
_SAME_IN_TICKS: Final = re.compile(r"`(?:[^`'\";$\\:/()\[\]-]|-(?!-))+`(?!`)")
_PLACE: Final = re.compile(
    rf':(?:"(?P<identifier>{_NAME})"|(?P<name>{_NAME})(?:\.(?P<column>[a-z_][a-z0-9_]{{0,62}}))?)'
)
# A bound value becomes `$1` or `?1`, an identifier `"name"`: neither may grow together with what
# stands beside it, as in `ward:no`, which would become the name ward$1.
_BEFORE_BOUND: Final = frozenset(" \t\n;(,[=<>+-*/%|&^~!@#?")
_BEFORE_IDENTIFIER: Final = frozenset(" \t\n;(,.=<>+-*/%|")

_BIND: Final = "declare a parameter and write :name"
_QUOTE: Final = "bind the text as a parameter, or write a quote inside a text twice"


class Token(NamedTuple):
    """A piece of the text, None for a semicolon; `blank` are white space and comments."""

    piece: Piece | None
    line: int
    blank: bool = False
    comment: bool = False


def script_refusal(code: str, source: str, line: int, what: str, hint: str) -> Refused:
    """Return the error for SQL text that is not taken."""
    return Refused(f"script-{code}", f"{source} line {line}: {what}", hint=hint)


def tokens_of(text: str, source: str, line: int, *, counted: bool) -> Iterator[Token]:
    """Yield the tokens of a text whose first line is `line` of `source`.

    Without `counted`, which is for a text inside a manifest, all of it is on that line. The pieces
    that are no placeholders, together with the semicolons, are the text. Raises Refused.
    """
    return _Lexer(text, source, line, counted=counted).tokens()


class _Lexer:
    """Goes through a text once."""

    def __init__(self, text: str, source: str, line: int, *, counted: bool) -> None:
        self._text = text
        self._source = source
        self._line = line
        self._counted = counted
        self._at = 0
        self._last = ""  # the last token that is not blank
        self._depth = 0  # how many parentheses are open
        self._arrays: list[int] = []  # the depth at which each open `ARRAY[` began

    def tokens(self) -> Iterator[Token]:
        while found := _TOKEN.match(self._text, self._at):  # the last group takes any character
            kind = found.lastgroup or "mark"
            start, line = self._at, self._line
            piece, end = self._read(kind, found)
            taken = self._text[start:end]
            self._at = end
            self._check_nesting(kind, taken)
            if self._counted:
                self._line += taken.count("\n")
            blank = kind in {"space", "remark", "comment"}
            if not blank:
                self._last = taken
            yield Token(piece, line, blank, blank and kind != "space")
        if self._arrays:
            raise self._refuse_bracket()

    def _read(self, kind: str, found: re.Match[str]) -> tuple[Piece | None, int]:
        """Return the token and where it ends."""
        if kind == "end":
            if self._arrays:
                raise self._refuse_bracket()
            self._depth = 0
            return None, found.end()
        if kind == "colon":
            return self._colon()
        if kind in {"string", "quoted"}:
            self._check_quoted(kind, found)
            return found[0], found.end()
        end = {
            "comment": self._comment,
            "bracket": self._bracket,
            "tick": self._tick,
            "dollar": self._dollar,
            "backslash": self._backslash,
        }.get(kind, found.end)()
        if kind == "word" and found[0][0] in "0123456789" and "$" in found[0]:
            raise self._refuse("parameter", "a number and a dollar sign stand together", _BIND)
        return self._text[self._at : end], end

    def _check_nesting(self, kind: str, taken: str) -> None:
        """Keep count of what is open. In an array the next bracket ends it, for every reader."""
        if kind == "mark":
            self._depth += {"(": 1, ")": -1}.get(taken, 0)
        if not self._arrays:
            return
        ends = kind == "mark" and taken == "]"
        hidden = "]" in taken and not ends and kind != "bracket"
        if hidden or (ends and self._arrays.pop() != self._depth):
            raise self._refuse_bracket()

    def _check_quoted(self, kind: str, found: re.Match[str]) -> None:
        if _ESCAPED_QUOTE[kind].search(found[0]):
            what = "a backslash stands before a quote, which databases read differently"
            raise self._refuse("backslash", what, _QUOTE)
        if found[f"open_{kind}"] is not None:
            what = "a text" if kind == "string" else "a quoted name"
            raise self._refuse("open", f"{what} that begins there does not end", "close it")

    def _comment(self) -> int:
        begin = self._at + 2
        end = self._text.find("*/", begin)
        if end < 0:
            raise self._refuse("open", "a comment that begins there does not end", "close it")
        body = self._text[begin:end]
        if "/*" in body or body.endswith("/"):
            what = "a comment begins inside a comment, which databases read differently"
            raise self._refuse("comment", what, "write one comment after the other")
        if body.startswith(("!", "M!")):
            what = "some databases run what stands in this comment"
            raise self._refuse("comment", what, "write it as sql, or as a plain comment")
        return end + 2

    def _bracket(self) -> int:
        same = _SAME_IN_BRACKETS.match(self._text, self._at)
        # Twice in a row it ends an array in an array, or stands for itself in a quoted name.
        if same is not None and (self._arrays or self._text[same.end() : same.end() + 1] != "]"):
            return same.end()
        if self._last.lower() == "array" or (self._arrays and self._last in {"[", ","}):
            self._arrays.append(self._depth)
            return self._at + 1
        raise self._refuse_bracket()

    def _refuse_bracket(self) -> Refused:
        what = "brackets are an array in one database and a quoted name in another"
        hint = 'write a name in double quotes, and an array as ARRAY[...] or "= ANY (...)"'
        return self._refuse("bracket", what, hint)

    def _tick(self) -> int:
        same = _SAME_IN_TICKS.match(self._text, self._at)
        if same is None:
            what = "backticks quote a name in one database and are an operator in another"
            raise self._refuse("backtick", what, "write the name in double quotes")
        return same.end()

    def _dollar(self) -> int:
        tag = _DOLLAR_TAG.match(self._text, self._at)
        if tag is None:
            raise self._refuse("parameter", "a parameter of the server's stands there", _BIND)
        end = self._text.find(tag[0], tag.end())
        if end < 0:
            raise self._refuse("open", "a text that begins there does not end", "close it")
        return end + len(tag[0])

    def _backslash(self) -> int:
        what = "a backslash outside of a text: a command of a client is no sql"
        raise self._refuse("backslash", what, "write plain sql")

    def _colon(self) -> tuple[Piece, int]:
        text, at = self._text, self._at
        sign = text[at : at + 2]
        if sign in {"::", ":="} and text[at + 2 : at + 3] != ":":
            return sign, at + 2
        found = _PLACE.match(text, at)
        if found is None:
            hint = f'placeholders are :name, :"name" and :rows.column; a name is {NAME_RULE}'
            raise self._refuse("placeholder", "a colon begins no placeholder", hint)
        self._check_neighbours(found)
        if found["identifier"]:
            return Identifier(found["identifier"]), found.end()
        if found["column"]:
            return RowColumn(found["name"], found["column"]), found.end()
        return Bound(found["name"]), found.end()

    def _check_neighbours(self, found: re.Match[str]) -> None:
        text, end = self._text, found.end()
        after = text[end : end + 1]
        cast = text.startswith("::", end) and not text.startswith(":::", end)
        stops = "'\"`:" if found["identifier"] else "'\"`:."
        joined = not cast and after != "" and (_IN_WORD.match(after) or after in stops)
        allowed = _BEFORE_IDENTIFIER if found["identifier"] else _BEFORE_BOUND
        if joined or (self._at > 0 and text[self._at - 1] not in allowed):
            what = "a placeholder runs into what stands beside it"
            hint = f"put a space between; a name is {NAME_RULE}"
            raise self._refuse("placeholder", what, hint)

    def _refuse(self, code: str, what: str, hint: str) -> Refused:
        return script_refusal(code, self._source, self._line, what, hint)
