"""DDL-TRG: triggers or constraints that are switched off."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Act, Does, Reading, has
from dbops.change.rules.finding import Case, Rule
from dbops.change.schema import ObjectKind
from dbops.review.finding import Finding, Severity

_SETTINGS: Final = frozenset(
    {"SESSION_REPLICATION_ROLE", "FOREIGN_KEY_CHECKS", "UNIQUE_CHECKS", "SQL_LOG_BIN"}
    | {"IGNORE_CHECK_CONSTRAINTS", "WRITABLE_SCHEMA", "FOREIGN_KEYS"}
)
# What a block or a function's body means by nothing else.
_IN_BODIES: Final = frozenset({"SESSION_REPLICATION_ROLE", "FOREIGN_KEY_CHECKS", "SQL_LOG_BIN"})
_WORD: Final = re.compile(r"\w+")
_HINT: Final = "let triggers and checks run; replace a trigger in the change that drops it"

_TRIGGERS: Final = frozenset({ObjectKind.TRIGGER, ObjectKind.EVENT_TRIGGER})


def _examine(case: Case) -> Iterator[Finding]:
    for reading in (*case.up, *case.down):
        told = {word.upper() for word in (*reading.words, *reading.texts)}
        inside = {word for text in reading.texts for word in _WORD.findall(text.upper())}
        found = sorted(_SETTINGS & told | _IN_BODIES & inside)
        if found:
            what = f"{found[0].lower()} is named: it silences triggers or checks"
            yield DDL_TRG.found(reading.place, what, _HINT)
        for clause in reading.acts(Act.SWITCH_TRIGGER):
            new = reading.table is not None and case.is_new(reading.table, reading)
            if not new and ("DISABLE" in clause.words or has(clause.words, "ENABLE", "REPLICA")):
                what = f"trigger {clause.name} is switched off"
                yield DDL_TRG.found(reading.place, what, _HINT)
        for clause in reading.acts(Act.SWITCH_CONSTRAINT):
            if has(clause.words, "NOT", "ENFORCED"):
                what = f"constraint {clause.name} is enforced no more"
                yield DDL_TRG.found(reading.place, what, _HINT)
        if reading.kind in _TRIGGERS and _is_off(reading):
            yield DDL_TRG.found(reading.place, "a trigger is switched off", _HINT)
    for reading in case.up:
        yield from _dropped(case, reading)


def _is_off(reading: Reading) -> bool:
    off = "DISABLE" in reading.words or reading.has("ENABLE", "REPLICA")
    return off and reading.does is Does.ALTER


def _dropped(case: Case, reading: Reading) -> Iterator[Finding]:
    if reading.does is not Does.DROP or reading.kind is not ObjectKind.TRIGGER:
        return
    made = {
        name.last.casefold()
        for each in case.up
        if each.does is Does.CREATE and each.kind is ObjectKind.TRIGGER
        for name in each.names
    }
    for name in reading.names:
        if name.last.casefold() not in made:
            yield DDL_TRG.found(reading.place, f"trigger {name.last} is dropped", _HINT)


DDL_TRG: Final = Rule(
    "DDL-TRG", Severity.ERROR, "triggers or constraints that are switched off", _examine
)
