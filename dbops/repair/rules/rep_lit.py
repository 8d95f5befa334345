"""REP-LIT: what looks like a person stands in clear, in git for good."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.repair.reading import Reading
from dbops.repair.rules.finding import Case, Rule
from dbops.repair.rules.personal import Sign, sign_of, signs_in
from dbops.review.finding import Finding, Severity

_HINT: Final = "make it a parameter with sealed: true; its value then lies in payload.age"


def _examine(case: Case) -> Iterator[Finding]:
    for reading in (*case.script, *case.fragments):
        signs = sorted(_signs(case, reading), key=lambda sign: sign.value)
        for sign in signs:
            yield REP_LIT.found(reading.place, f"something looks like {sign.value}", _HINT)
    yield from _outside(case)
    yield from _parameters(case)
    said = " ".join([case.repair.title, *([case.repair.cause.found] if case.repair.cause else [])])
    for sign in sorted(signs_in(said), key=lambda sign: sign.value):
        what = f"the title or the cause holds something like {sign.value}"
        yield REP_LIT.found("repair.yml", what, "say it without the person")


def _signs(case: Case, reading: Reading) -> set[Sign]:
    found = set(signs_in(reading.raw))
    for literal in reading.literals:
        column = None if literal.column is None else case.column_of(literal.column)
        sign = sign_of(literal.text, column) if literal.quoted or column is not None else None
        if sign is not None:
            found.add(sign)
    return found


def _outside(case: Case) -> Iterator[Finding]:
    """Look at comments that belong to no statement, such as those at the file's end."""
    seen = {sign for reading in case.script for sign in signs_in(reading.raw)}
    for number, line in enumerate(case.text.splitlines(), 1):
        for sign in sorted(signs_in(line) - seen, key=lambda sign: sign.value):
            what = f"a comment holds something like {sign.value}"
            yield REP_LIT.found(f"repair.sql line {number}", what, "remove it")


def _parameters(case: Case) -> Iterator[Finding]:
    for parameter in case.repair.parameters.values():
        if parameter.sealed or parameter.value is None or parameter.type.is_identifier:
            continue
        sign = sign_of(parameter.value, parameter.name)
        if sign is not None:
            yield REP_LIT.found(
                f"repair.yml line {parameter.line}",
                f"the parameter {parameter.name} looks like {sign.value}",
                "write sealed: true in place of its value, which then lies in payload.age",
            )


REP_LIT: Final = Rule("REP-LIT", Severity.WARNING, "a person's data in clear", _examine)
