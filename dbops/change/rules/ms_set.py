"""MS-SET: a setting that a batch or a procedure keeps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbops.change.reading import Does, Reading
from dbops.change.rules.finding import Case, Rule
from dbops.change.schema import ObjectKind
from dbops.review.finding import Finding, Severity

_OFF: Final = ("QUOTED_IDENTIFIER", "ANSI_NULLS", "XACT_ABORT", "ANSI_PADDING", "ANSI_WARNINGS")


def _examine(case: Case) -> Iterator[Finding]:
    if case.dialect != "tsql":
        return
    for reading in (*case.up, *case.down):
        for setting in _OFF:
            if reading.has("SET", setting, "OFF"):
                yield MS_SET.found(
                    reading.place,
                    f"{setting} is switched off, and procedures keep that with them",
                    f"SET {setting} ON",
                )
        if _begins_bare(reading):
            name = reading.names[0].written if reading.names else "a procedure"
            yield MS_SET.found(
                reading.place,
                f"{name} begins a transaction without XACT_ABORT: an error leaves it open",
                "begin its body with SET XACT_ABORT ON",
            )


def _begins_bare(reading: Reading) -> bool:
    begins = reading.has("BEGIN", "TRAN") or reading.has("BEGIN", "TRANSACTION")
    whole = reading.kind is ObjectKind.PROCEDURE and reading.does in {Does.CREATE, Does.ALTER}
    return whole and begins and not reading.has("SET", "XACT_ABORT", "ON")


MS_SET: Final = Rule(
    "MS-SET", Severity.ERROR, "a setting that a batch or a procedure keeps", _examine
)
