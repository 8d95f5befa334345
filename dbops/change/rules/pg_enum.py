"""PG-ENUM: a value of an enumeration that has no way back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Does, Reading
from dbops.change.rules.finding import Case, Rule
from dbops.change.rules.held_locks import BEGIN
from dbops.change.schema import ObjectKind
from dbops.review.finding import Finding, Severity


def _examine(case: Case) -> Iterator[Finding]:
    if case.dialect != "postgres":
        return
    for place, reading in enumerate(case.up):
        if reading.kind is not ObjectKind.TYPE or reading.does is not Does.ALTER:
            continue
        name = reading.names[0].written if reading.names else "a type"
        if reading.has("ADD", "VALUE"):
            yield PG_ENUM.found(
                reading.place,
                f"{name} gets a value, which no statement takes out again: down.sql cannot go back",
                "keep the values in a table with a foreign key, or say data_loss with a reason",
            )
            yield from _used(case, place, reading, name)


def _used(case: Case, place: int, reading: Reading, name: str) -> Iterator[Finding]:
    added = reading.texts[:1]
    for later in case.up[place + 1 :]:
        if added and added[0] in later.texts and later.part == reading.part:
            yield PG_ENUM.found(
                later.place,
                f"the new value of {name} is used in the same transaction: that fails before its"
                " COMMIT",
                f"write -- part: name before it: {BEGIN}",
            )


PG_ENUM: Final = Rule(
    "PG-ENUM", Severity.ERROR, "a value of an enumeration that has no way back", _examine
)
