"""REP-TRG: triggers or constraints that are switched off."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from dbops.repair.rules.finding import Case, Rule
from dbops.review.finding import Finding, Severity

_SWITCHES: Final = (
    ("a trigger is switched off", r"DISABLE\s+(?:ALL\s+)?TRIGGERS?|TRIGGER\s+\S+\s+DISABLE"),
    ("a trigger is dropped or altered", r"(?:DROP|ALTER)\s+TRIGGER"),
    ("session_replication_role is named: it silences triggers", r"session_replication_role"),
    (
        "foreign keys or checks are switched off",
        r"PRAGMA\s+(?:\w+\s*\.\s*)?(?:foreign_keys|ignore_check_constraints|writable_schema)"
        r"|FOREIGN_KEY_CHECKS|UNIQUE_CHECKS|CHECK_CONSTRAINT_CHECKS|NOCHECK\s+CONSTRAINT"
        r"|DISABLE\s+(?:NOVALIDATE\s+|VALIDATE\s+)?CONSTRAINT|DROP\s+CONSTRAINT",
    ),
    ("the engine's own log is switched off", r"SQL_LOG_BIN"),
)


def _examine(case: Case) -> Iterator[Finding]:
    for reading in (*case.script, *case.fragments):
        for what, form in _SWITCHES:
            if re.search(rf"(?<!\w)(?:{form})(?!\w)", reading.code, re.IGNORECASE):
                hint = "let triggers and constraints run; declare what they write as side_effects"
                yield REP_TRG.found(reading.place, what, hint)


REP_TRG: Final = Rule(
    "REP-TRG", Severity.ERROR, "triggers or constraints that are switched off", _examine
)
