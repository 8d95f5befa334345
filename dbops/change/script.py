"""Read `up.sql`, `down.sql` and `verify.sql`: one statement one step, as it was written; pure.

A comment `-- step: name` on a line of its own names the statement behind it; `-- part: name` says
besides that a transaction begins with it. Nothing else is understood of the text, and nothing of it
is written anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from dbops.change.step import VERIFY, Direction, Step
from dbops.errors import Refused
from dbops.review.readable import readable_text
from dbops.review.work import Work
from dbops.sql.blocks import statements_with_bodies
from dbops.sql.script import SIZE_MOST
from dbops.sql.tokens import Token, script_refusal, tokens_of
from dbops.wording import quoted

_MARK: Final = re.compile(r"--\s*(?P<word>step|part):\s*(?P<name>.*?)\s*", re.IGNORECASE)
# Whoever spells it otherwise meant two transactions, and would get one: before a statement no
# remark begins with the word, inside of one none is nothing but the word, or has a colon behind it.
_ALMOST: Final = re.compile(r"(--|/\*)[\s*-]*parts?([\W\d_].*)?", re.IGNORECASE | re.DOTALL)
_INSIDE: Final = re.compile(
    r"(--|/\*)[\s*-]*parts?\s*([:\N{FULLWIDTH COLON}].*|\*/)?", re.IGNORECASE | re.DOTALL
)
_NAME: Final = re.compile(r"\S(.{0,78}\S)?")
_NAME_RULE: Final = "with a name of at most 80 characters"
# What the lexer advises repairs, which bind values; a change has none to bind.
_HINTS: Final = {
    "script-parameter": "name the arguments of a function, or write its body in dollar quotes",
    "script-placeholder": "write the value itself; a cast has two colons, and a text is quoted",
    "script-backslash": "write a quote inside a text twice, and no commands of a client",
}
_PART: Final = "part"
_QUERIES: Final = frozenset({"select", "with", "values"})


def steps_of(work: Work, direction: Direction) -> tuple[Step, ...]:
    """Return the steps of a direction; none where there is no such file.

    That `down.sql` may be missing is said by `manifest_text`. Raises Refused as `parse_steps`.
    """
    data = work.files.get(direction.file)
    return () if data is None else parse_steps(data, f"{work.folder}/{direction.file}")


def verify_steps(work: Work) -> tuple[Step, ...]:
    """Return the queries of `verify.sql`, each of which has one value, which must be true.

    Raises Refused `change-files` where there is no such file, `script-query` with the line for a
    statement that is none, `script-step` where a part begins, and as `parse_steps`.
    """
    source = f"{work.folder}/{VERIFY}"
    data = work.files.get(VERIFY)
    if data is None:
        hint = "write queries there whose one value is true once the change is made"
        raise Refused("change-files", f"there is no {source}", hint=hint)
    steps = parse_steps(data, source)
    for step in steps:
        if step.begins:
            what, hint = "verify.sql has no parts", "write -- step: name; it is asked at the end"
            raise script_refusal("step", source, step.line, what, hint)
        if _first_word(step.sql) not in _QUERIES:
            hint = "begin it with SELECT: what it says must be true, and it changes nothing"
            raise script_refusal("query", source, step.line, "this is no query", hint)
    return steps


def parse_steps(data: bytes, source: str) -> tuple[Step, ...]:
    """Return the steps of a script; `source` names it in errors.

    A statement's text is that from its first word to its last, without comments before and after
    it. Raises Refused with a `script-…` code and the line: also where the script binds a value, and
    where a step's name is there twice, or belongs to no statement; `text-…` for characters that no
    screen shows.
    """
    if len(data) > SIZE_MOST:
        what, hint = f"{source} has over {SIZE_MOST} bytes", "split the change"
        raise Refused("script-long", what, hint=hint)
    tokens = _tokens(readable_text(data, source), source)
    steps: list[Step] = []
    for number, cut in enumerate(statements_with_bodies(tokens, source)):
        step = _step(cut, len(steps) + 1, source, first=number == 0)
        if step is not None:
            steps.append(step)
    _check_names(steps, source)
    if not steps:
        hint = "write its statements, each ended by a semicolon"
        raise Refused("script-empty", f"{source} holds no statement", hint=hint)
    return tuple(steps)


def is_remark(comment: str) -> bool:
    """Whether a comment before a statement is neither a name nor nearly one."""
    return not _MARK.fullmatch(comment) and not _ALMOST.fullmatch(comment)


def _tokens(text: str, source: str) -> Iterator[Token]:
    """The tokens; Refused where one is the place of a value."""
    try:
        for token in tokens_of(text, source, 1, counted=True):
            if token.piece is not None and not isinstance(token.piece, str):
                what = "a placeholder stands there, and a change binds no values"
                raise script_refusal("placeholder", source, token.line, what, "")
            yield token
    except Refused as fault:
        hint = _HINTS.get(fault.code, fault.hint)
        raise Refused(fault.code, fault.message, hint=hint) from None


def _step(cut: Sequence[Token], number: int, source: str, *, first: bool) -> Step | None:
    """Return the step that the tokens up to a semicolon are; None where they are only blank."""
    filled = [index for index, token in enumerate(cut) if not token.blank]
    begin, end = (filled[0], filled[-1]) if filled else (len(cut), len(cut))
    marks = [index for index, token in enumerate(cut) if _mark(token) is not None]
    _refuse_almost(cut, begin, source)
    for index in marks:
        if index > begin:
            hint = "end the statement before it with a semicolon"
            raise _step_fault(source, cut[index], f"{_whose(cut[index])} inside a statement", hint)
        if not _begins_line(cut, index, first=first):
            hint = "write it on a line of its own, before the statement"
            raise _step_fault(source, cut[index], f"{_whose(cut[index])} behind something", hint)
    if len(marks) > 1:
        hint = "a statement is one step, and has one name"
        raise _step_fault(source, cut[marks[1]], "two names stand before one statement", hint)
    word, name = _named(cut[marks[0]], source) if marks else ("", f"step {number}")
    if not filled:
        if marks:
            hint = "write the statement behind it, or remove the name"
            raise _step_fault(source, cut[marks[0]], f"a {word}'s name has no statement", hint)
        return None
    sql = "".join(token.piece for token in cut[begin : end + 1] if isinstance(token.piece, str))
    return Step(number, name, sql, cut[begin].line, begins=word == _PART)


def _mark(token: Token) -> re.Match[str] | None:
    """What names a statement; None for other remarks, and whatever is none."""
    if token.comment and isinstance(token.piece, str):
        return _MARK.fullmatch(token.piece)
    return None


def _refuse_almost(cut: Sequence[Token], begin: int, source: str) -> None:
    for index, token in enumerate(cut):
        if not token.comment or not isinstance(token.piece, str) or _mark(token) is not None:
            continue
        if (_ALMOST if index < begin else _INSIDE).fullmatch(token.piece):
            hint = "write -- part: name where a transaction begins; else another word first"
            raise _step_fault(source, token, "this remark is not how a part begins", hint)


def _named(token: Token, source: str) -> tuple[str, str]:
    """Return which word it is, and the name."""
    found = _mark(token)
    word, name = ("step", "") if found is None else (found["word"].lower(), found["name"])
    if not _NAME.fullmatch(name):
        hint = f"write -- {word}: name, {_NAME_RULE}"
        raise _step_fault(source, token, f"this is no name of a {word}", hint)
    return word, name


def _whose(token: Token) -> str:
    found = _mark(token)
    return f"a {'step' if found is None else found['word'].lower()}'s name stands"


def _begins_line(cut: Sequence[Token], index: int, *, first: bool) -> bool:
    """Whether nothing but white space is before it on its line."""
    before = cut[index - 1].piece if index else None
    is_space = index > 0 and cut[index - 1].blank and not cut[index - 1].comment
    at_top = first and (index == 0 or (index == 1 and is_space))
    return at_top or (is_space and isinstance(before, str) and "\n" in before)


def _check_names(steps: Sequence[Step], source: str) -> None:
    lines: dict[str, int] = {}
    for step in steps:
        if step.name in lines:
            what = f"the step of line {lines[step.name]} is called {quoted(step.name)} too"
            hint = "give each step of a file a name of its own"
            raise script_refusal("step", source, step.line, what, hint)
        lines[step.name] = step.line


def _step_fault(source: str, token: Token, what: str, hint: str) -> Refused:
    return script_refusal("step", source, token.line, what, hint)


def _first_word(sql: str) -> str:
    return re.split(r"\W", sql, maxsplit=1)[0].lower()
